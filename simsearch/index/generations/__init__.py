"""The generations of an index: listed, published, rolled back to, pruned.

A build fills a hidden folder, which is renamed when it is complete; then CURRENT is replaced in
one atomic rename. A reader sees the old generation or the new one, whole, and can go on using the
old one even when it has been pruned: it has all its files open.

Generations are ranked: the current one, the one that was current when it was built, and so on;
then the others, the youngest first (those that were rolled back from). Pruning removes the last
in rank.

    listing      names, ranks, what is in each
    publishing   a draft is filled, sealed and published: what a build does
    rollback     an earlier generation becomes current again
    pruning      generations and leftovers are removed
    pointer      CURRENT, the file that says which generation is current
    writing      the lock, syncing, and errors of the disk
"""

from simsearch.index.generations.listing import (
    Listed,
    generation_names,
    list_generations,
    named,
)
from simsearch.index.generations.pruning import prune
from simsearch.index.generations.publishing import KEPT, Draft, new_generation
from simsearch.index.generations.rollback import roll_back

__all__ = [
    "KEPT",
    "Draft",
    "Listed",
    "generation_names",
    "list_generations",
    "named",
    "new_generation",
    "prune",
    "roll_back",
]
