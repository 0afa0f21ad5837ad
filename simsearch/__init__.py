"""Find the clinical trials most like a given one.

import simsearch

index = simsearch.open_index()
for neighbour in index.related("NCT03540472", k=5):
    print(neighbour.rank, neighbour.nct_id, neighbour.similarity, neighbour.reason.line)
"""

from importlib import import_module

TYPE_CHECKING = False  # typing takes most of the time in which Ctrl-C would print a traceback
if TYPE_CHECKING:
    from simsearch.build.build import build_index
    from simsearch.build.report import BuildReport
    from simsearch.encode.encoders import Encoder, load_encoder
    from simsearch.errors import SimsearchError
    from simsearch.records import read_draft, read_studies
    from simsearch.search.answer import Answer
    from simsearch.search.filters import Filters
    from simsearch.search.index import Index, open_index
    from simsearch.search.neighbour import Neighbour, Reason
    from simsearch.study import Study

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "BuildReport",
    "Encoder",
    "Filters",
    "Index",
    "Neighbour",
    "Reason",
    "SimsearchError",
    "Study",
    "build_index",
    "load_encoder",
    "open_index",
    "read_draft",
    "read_studies",
]

# Each is imported when it is first asked for: whoever asks an index loads nothing of a build.
_PLACES = {
    "Answer": "search.answer",
    "BuildReport": "build.report",
    "Encoder": "encode.encoders",
    "Filters": "search.filters",
    "Index": "search.index",
    "Neighbour": "search.neighbour",
    "Reason": "search.neighbour",
    "SimsearchError": "errors",
    "Study": "study",
    "build_index": "build.build",
    "load_encoder": "encode.encoders",
    "open_index": "search.index",
    "read_draft": "records",
    "read_studies": "records",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'simsearch' has no attribute {name!r}")
    found = getattr(import_module(f"simsearch.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
