"""Slices of a judged set that may be harder or easier, by facts of the query studies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.selection import Case
from simsearch.study import Study

# The areas are branches of MeSH's tree of diseases, recognised by words of MeSH terms (of
# conditions where a record has no terms), since the tree itself is not part of this package. A
# study can belong to several.
_AREAS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        area: re.compile(words, re.IGNORECASE)
        for area, words in {
            "neoplasms": r"neoplasm|cancer|carcinoma|tumou?r|lymphoma|leuk[a]?emia|sarcoma|"
            r"melanoma|myeloma|glio|blastoma|mesothelioma|metasta|myelodysplastic",
            "infections": r"infect|hiv|hepatitis [a-e]|influenza|malaria|tuberculosis|covid|"
            r"sepsis|pneumonia|virus|viral|bacter|communicable|aids|parasit|helminth",
            "cardiovascular": r"heart|cardi|coronary|hypertensi|stroke|thrombo|vascular|"
            r"atrial|arter|isch[a]?emi|infarction|embolism|hypotension",
            "nervous system": r"brain|nerv|neuro|epilep|seizure|parkinson|alzheimer|dementia|"
            r"migraine|headache|multiple sclerosis|spinal cord|cerebral|palsy|stroke",
            "mental disorders": r"depress|schizophren|psycho|anxiety|bipolar|autis|mental|"
            r"substance|alcohol|opioid|cocaine|smoking|tobacco|attention deficit|stress disorder",
            "nutrition and metabolism": r"diabet|obes|metabolic|lipid|cholesterol|insulin|"
            r"nutrition|vitamin|glucose|overweight|deficiency",
            "respiratory": r"lung|pulmon|asthma|respirat|bronch|rhinitis|sleep apnea|copd",
            "digestive": r"gastr|hepat|liver|bowel|colitis|crohn|pancrea|intestin|colon|"
            r"digestive|cirrhosis|reflux|constipation|diarrh|ulcer",
            "musculoskeletal": r"arthr|osteo|bone|muscul|fracture|back pain|rheumat|spine|"
            r"knee|shoulder|tendin",
            "urogenital and pregnancy": r"kidney|renal|urin|prosta|bladder|pregnan|labor|"
            r"infertil|preterm|endometri|ovar|cervical|contracep|menopaus|lactation|abortion|birth",
            "skin": r"skin|dermat|psoria|acne|eczema|burn|wound|pruritus|keratosis",
            "eye": r"eye|retin|macular|glaucoma|cataract|myopia|ocular|cornea|visual|uveitis",
            "blood and immune": r"an[a]?emia|h[a]?emophilia|thrombocytop|neutrop|immun|lupus|"
            r"allerg|sickle|aplas|graft vs host|hypersensitiv|h[a]?emato",
        }.items()
    }
)


def slices(corpus: Corpus, cases: Sequence[Case]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return slice → (n_cases,) which cases belong to it; slices without a case are left out."""
    rows = sorted({row for case in cases for row in (case.row, *case.grades)})
    study_of = dict(zip(rows, corpus.studies(rows), strict=True))
    found: dict[str, npt.NDArray[np.bool_]] = {}
    for place, case in enumerate(cases):
        relevant = [study_of[row] for row, grade in case.grades.items() if grade > 0]
        for name in _slices_of(study_of[case.row], relevant):
            found.setdefault(name, np.zeros(len(cases), dtype=np.bool_))[place] = True
    return {name: found[name] for name in sorted(found)}


def areas_of(study: Study) -> list[str]:
    """Return the therapeutic areas of a study by its MeSH terms or conditions; else `other`."""
    terms = "; ".join(study.condition_mesh or study.conditions)
    return [area for area, words in _AREAS.items() if words.search(terms)] or ["other"]


def decade_of(study: Study) -> str:
    """Return the decade in which a study starts: `2010s`, or `unknown`."""
    year = study.start_date[:4]
    return f"{year[:3]}0s" if year.isdigit() else "unknown"


def _slices_of(query: Study, relevant: Sequence[Study]) -> list[str]:
    names = [f"area: {area}" for area in areas_of(query)]
    names.append(f"start: {decade_of(query)}")
    same_sponsor = query.sponsor and query.sponsor in {study.sponsor for study in relevant}
    sponsor = "one relevant study shares it" if same_sponsor else "no relevant study shares it"
    names.append(f"sponsor: {sponsor}" if query.sponsor else "sponsor: unknown")
    if not query.interventions:
        names.append("query without interventions")
    if not query.conditions:
        names.append("query without conditions")
    return names
