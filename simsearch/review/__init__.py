"""Review updates: from the studies that a review included to those it does not know yet.

    folder     a review is a folder of plain files: what was decided, when, by whom; what was asked
    standing   the decisions as an index of today sees them: merged studies, those that have left
    ranking    decisions → a score for every study; it learns from them
    upcoming   the studies to screen next
    twins      entries of one trial: shown as one, and marked where one is decided
    at_hand    the list that is being screened on a page
    stopping   how many relevant studies may be left
    imports    decisions from ASReview, Rayyan and Covidence

Similarity supplements a search of the registry and does not replace it: `SUPPLEMENT` says so, and
every output carries it.
"""

SUPPLEMENT = (
    "Similarity supplements a search of the registry and does not replace it: studies that no "
    "ranking brings up are not counted here."
)
"""What every output of a review says."""
