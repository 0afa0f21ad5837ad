"""Words that tell nothing of what a study is about, as terms (without their plural s)."""

from __future__ import annotations


def _terms(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTION_WORDS = _terms("""
    a about after all also an and any are as at be been before being between both but by can could
    did do doe during each either every for from further get give given had has have having he her
    him his how i if in increasingly into is it its itself just line made make many may more most
    much must my new no not now of off often on one only or other our out own regard same see she
    should since so some sometime still such take than that the their them then there these they
    thi this thu to two under until up upon us use very via was we well were what when where whether
    which while who will with would you your completed
""")
"""Words of any English text, which a small index may count among the telling ones."""

CONTROLS = _terms("""
    background care comparator control matching no normal observation placebo questionnaire saline
    sham soc standard treatment usual vehicle
""")
"""Of names of interventions: what others are compared with."""

WAYS_TO_GIVE = _terms("""
    capsule daily dose im infusion injection iv mcg mg ml oral sc tablet
""")
"""Of names of interventions: how it is given, not what it is."""

WIDE_WORDS = _terms("""
    acute and cancer chronic condition disease disorder infection neoplasm of pathologic
    pathological process sign symptom syndrome system the
""")
"""Of conditions and MeSH terms: words that make no condition by themselves."""
