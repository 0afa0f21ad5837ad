"""Find the clinical trials most like a given one.

from simsearch import open_index, similar_to_study

index = open_index()
for neighbour in similar_to_study(index, "NCT03540472", k=5):
    print(neighbour.rank, neighbour.study.nct_id, neighbour.similarity)
"""

from simsearch.build import BuildReport, build_index
from simsearch.encoders import Encoder, load_encoder
from simsearch.errors import SimsearchError
from simsearch.filters import Filters
from simsearch.queries import (
    similar_to_draft,
    similar_to_studies,
    similar_to_study,
    similar_to_text,
)
from simsearch.records import read_studies
from simsearch.search import Index, Neighbour, open_index
from simsearch.study import Study

__version__ = "0.1.0"

__all__ = [
    "BuildReport",
    "Encoder",
    "Filters",
    "Index",
    "Neighbour",
    "SimsearchError",
    "Study",
    "build_index",
    "load_encoder",
    "open_index",
    "read_studies",
    "similar_to_draft",
    "similar_to_studies",
    "similar_to_study",
    "similar_to_text",
]
