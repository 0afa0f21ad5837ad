"""At build: which names mean the same, by what the records say of them.

Evidence in a record: an intervention's other names; a name and another in brackets, where the
second abbreviates the first (letters in order, after Schwartz and Hearst, 2003) or one of them is
an intervention of the record; the MeSH term of a record that has one and one intervention. Records
contradict each other, so a name has a meaning only where several studies give it and most of
those that give any.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from simsearch.index.synonyms import LONGEST_NAME, Synonym, words_of_name
from simsearch.search.stop_words import (
    CONTROLS,
    DESIGN_WORDS,
    FUNCTION_WORDS,
    KINDS_OF_INTERVENTION,
    SALTS,
    WAYS_TO_GIVE,
    WIDE_WORDS,
)
from simsearch.study import Intervention, Study

LEAST_STUDIES = 2
"""So many studies must give a name its meaning."""

LEAST_SHARE = 0.6
"""The share of the studies that give a name any meaning which must give it this one."""

_BRACKETS = re.compile(r"\s*[®™]?\s*[(\[]\s*([^()\[\]]{2,60}?)\s*[)\]]")
_WORDS_BEFORE = re.compile(r"[^\s,;:.]+")
_AMOUNT = re.compile(
    r"\b\d+(?:[.,]\d+)?\s*(?:mg|mcg|µg|ug|g|kg|ml|iu|units?|hz|ma)\b.*|\d+\s*%.*", re.IGNORECASE
)
_SEVERAL = re.compile(r"\s*[/;,]\s*")
_WORD = re.compile(r"[^\W_]+")
_ANY_BRACKET = frozenset("()[]")
_ABBREVIATION = re.compile(r"(?=.*[A-Z])[A-Za-z0-9][A-Za-z0-9/&-]{1,9}")
_NO_NAME = (
    CONTROLS | DESIGN_WORDS | FUNCTION_WORDS | WIDE_WORDS | WAYS_TO_GIVE | KINDS_OF_INTERVENTION
)
_LONGEST_LONG_FORM = 60  # characters before the brackets
_NO_EXCEPTION = 0.25  # of the studies that give the most common meaning
_FEWEST_LETTERS = 4  # of an intervention that stands in prose

Pair = tuple[str, str]


class NamesFound:
    """Collects what records say of names. `watched` sees the studies, `synonyms` decides."""

    def __init__(self) -> None:
        self._means: Counter[Pair] = Counter()
        self._named: Counter[str] = Counter()
        self._forms: dict[str, Counter[str]] = defaultdict(Counter)

    def watched(self, studies: Iterable[Study]) -> Iterator[Study]:
        """Yield the studies, and collect their evidence."""
        for study in studies:
            self.add(study)
            yield study

    def add(self, study: Study) -> None:
        """Collect the evidence of one study; each pair of names counts once."""
        pairs = {pair for pair in self._pairs(study) if pair[0] != pair[1]}
        self._means.update(pairs)
        self._named.update({key for pair in pairs for key in pair})
        self._named.update({self._key(each.name) for each in study.interventions})

    def synonyms(self) -> list[Synonym]:
        """Return the names that have a meaning, by what most of the studies say."""
        by_name: dict[str, dict[str, int]] = defaultdict(dict)
        for (name, means), n in self._means.items():
            by_name[name][means] = n
        found = []
        for name, meanings in by_name.items():
            best, n = _best(meanings)
            if n < LEAST_STUDIES or n < LEAST_SHARE * sum(meanings.values()):
                continue
            if name in by_name.get(best, ()) and self._explains(name, best):
                continue  # it is the other name that means this one
            found.append(Synonym(name, self._form(name), best, self._form(best), n))
        return found

    def _explains(self, name: str, other: str) -> bool:
        """Report whether of two names of one thing the first explains the second.

        Words explain their abbreviation, a name explains a code, a common name a rare one.
        """
        if long_form(other, name) or long_form(name, other):
            return bool(long_form(other, name))
        mine, its = (
            (not any(map(str.isdigit, each)), self._named[each], each) for each in (name, other)
        )
        return mine > its

    def _pairs(self, study: Study) -> Iterator[Pair]:
        known = {self._key(each.name) for each in study.interventions} - {""}
        for each in study.interventions:
            yield from self._of_intervention(each)
        names = (*study.conditions, *study.keywords, *(each.name for each in study.interventions))
        prose = (study.title, study.official_title, study.summary)
        for text in dict.fromkeys((*names, *prose)):
            yield from self._of_brackets(text, known)
        yield from self._of_mesh(study)

    def _of_intervention(self, each: Intervention) -> Iterator[Pair]:
        """Yield a name with its other names, and `A (B)` both ways."""
        whole = _BRACKETS.fullmatch(each.name[len(head) :]) if (head := _head(each.name)) else None
        inside = _SEVERAL.split(whole[1]) if whole else ()
        for other in (*each.other_names, *inside):
            yield from self._both(head or each.name, other)

    def _both(self, name: str, other: str) -> Iterator[Pair]:
        for short, long in ((other, name), (name, other)):
            if _ABBREVIATION.fullmatch(short) and (meant := long_form(short, long)):
                yield from self._means_one(short, meant)
                return
        one, two = self._key(name), self._key(other)
        if one and two and not _is_part(one, two):
            yield one, two
            yield two, one

    def _of_brackets(self, text: str, interventions: set[str]) -> Iterator[Pair]:
        """Yield what the brackets of a text say: an abbreviation, or a drug's other name."""
        if "(" not in text and "[" not in text:
            return
        for found in _BRACKETS.finditer(text):
            inside = found[1]
            before = text[max(0, found.start() - _LONGEST_LONG_FORM) : found.start()]
            if _ABBREVIATION.fullmatch(inside) and (long := long_form(inside, before)):
                yield from self._means_one(inside, long)
                continue
            last = before.split()[-1:]
            if last and _ABBREVIATION.fullmatch(last[0]) and long_form(last[0], inside) == inside:
                yield from self._means_one(last[0], inside)
                continue
            name = self._name_before(before, interventions, inside)
            for other in _SEVERAL.split(inside) if name else ():
                yield from self._both(name, other)

    def _name_before(self, before: str, interventions: set[str], inside: str) -> str:
        """Return the intervention that stands before brackets; empty if none does."""
        words = _WORDS_BEFORE.findall(before)
        for n in range(min(3, len(words)), 0, -1):
            name = " ".join(words[-n:])
            if self._key(name) in interventions:
                return name
        if words and _is_drug_like(words[-1]) and self._key(inside) in interventions:
            return str(words[-1])
        return ""

    def _means_one(self, short: str, long: str) -> Iterator[Pair]:
        one, two = self._key(short), self._key(long)
        if one and two and one != two and " " in two:
            yield one, two

    def _of_mesh(self, study: Study) -> Iterator[Pair]:
        """Yield an intervention and the MeSH term of a record that has one of each.

        Not a class of substances, which MeSH has in the plural. Conditions are left out: the
        registry guesses their terms too often (docs/experiments.md).
        """
        mesh = study.intervention_mesh
        if len(study.interventions) != 1 or len(mesh) != 1 or _is_class(mesh[0]):
            return
        name = study.interventions[0].name
        one, two = self._key(_head(name) or name), self._key(_in_order(mesh[0]))
        if one and two and not _is_part(one, two):
            yield one, two

    def _key(self, name: str) -> str:
        """Return the key of a name without its amount and salt; empty if it is no name."""
        plain, key = _keyed(name)
        if key:
            self._forms[key][plain] += 1
        return key

    def _form(self, key: str) -> str:
        """Return a name as most records write it."""
        forms = self._forms[key]
        return min(forms, key=lambda form: (-forms[form], form))


def long_form(short: str, before: str) -> str:
    """Return the words at the end of a text that an abbreviation stands for, or an empty text.

    They begin with its letters; or its letters occur in them in the same order, the first one at
    the beginning of a word (Schwartz and Hearst, 2003).
    """
    letters = "".join(filter(str.isalnum, short)).casefold()
    folded = before.rstrip().casefold()
    starts = [found.start() for found in _WORD.finditer(folded)][-len(letters) :]
    at = (
        starts[0] if starts and "".join(folded[each] for each in starts) == letters else len(folded)
    )
    if at == len(folded):
        for n in range(len(letters) - 1, -1, -1):
            at = folded.rfind(letters[n], 0, at)
            while n == 0 and at > 0 and folded[at - 1].isalnum():
                at = folded.rfind(letters[n], 0, at)
            if at < 0:
                return ""
    found = before.rstrip()[at:]
    words = len(found.split())
    enough = 1 < words <= min(len(letters) + 5, 2 * len(letters))
    return found if enough and _ANY_BRACKET.isdisjoint(found) else ""


def _best(meanings: Mapping[str, int]) -> tuple[str, int]:
    """Return the meaning that most studies give, and how many.

    A longer name that holds all words of a shorter one, itself no exception, counts for the
    shorter one: botulinum toxin type A is botulinum toxin.
    """
    sets = {name: frozenset(name.split()) for name in meanings}
    most = max(meanings.values())
    counts = {
        name: sum(each for other, each in meanings.items() if sets[name] <= sets[other])
        for name, n in meanings.items()
        if n >= _NO_EXCEPTION * most
    }
    best = min(counts, key=lambda name: (-counts[name], len(name), name))
    return best, counts[best]


@lru_cache(maxsize=2**18)
def _keyed(name: str) -> tuple[str, str]:
    """Return a name without its amount and salt, and its key; both empty if it is no name."""
    plain = " ".join(_AMOUNT.sub("", name).split()).strip(" ,;:-/®™*")
    while (head := plain.rpartition(" ")[0]) and plain[len(head) + 1 :].casefold() in SALTS:
        plain = head
    words = words_of_name(plain)
    key = " ".join(words)
    if (
        not 0 < len(words) <= LONGEST_NAME
        or all(word in _NO_NAME for word in words)
        or not CONTROLS.isdisjoint(words)
        or len(key) < 2  # noqa: PLR2004 - a letter is no name
        or words[0].isdigit()
    ):
        return "", ""
    return plain, key


def _head(name: str) -> str:
    """Return what stands before the brackets that end a name; empty if there are none."""
    at = max(name.rfind("("), name.rfind("["))
    return name[:at].rstrip(" ®™") if at > 0 and name.rstrip().endswith((")", "]")) else ""


def _in_order(mesh: str) -> str:
    """Return a MeSH term as it is spoken: `Pulmonary Disease, Chronic Obstructive`."""
    return " ".join(reversed(mesh.split(", ")))


def _is_class(mesh: str) -> bool:
    head = mesh.partition(",")[0]
    return head.endswith("s") and not head.endswith("limus")


def _is_part(one: str, two: str) -> bool:
    """Report whether one key has all words of the other: `oral aspirin` those of `aspirin`."""
    mine, theirs = set(one.split()), set(two.split())
    return mine <= theirs or theirs <= mine


def _is_drug_like(word: str) -> bool:
    return word.isalpha() and len(word) > _FEWEST_LETTERS and word.casefold() not in _NO_NAME
