"""Every error that simsearch raises on purpose.

    SimsearchError
    ├── ArgumentError            a value out of its range (k, weights)
    ├── FilterError              a filter value that no study can have
    │   └── UnknownFieldError    ... because no record in the index has that field
    ├── NctIdError               text that is not an NCT ID
    ├── UnknownStudyError        a valid NCT ID that this index does not hold
    │   └── GoneStudyError       ... because the study has left the registry
    ├── NothingToCompareError    a study or text without a word to compare
    ├── SourceError              a source of records that cannot be read (any further)
    │   └── RejectedRecordsError too many of its records are unusable
    ├── MirrorError              the mirror cannot be read or written
    ├── ApiError                 the registry refuses
    │   ├── NoAnswerError        ... or does not answer
    │   └── RedirectError        ... or redirects from one study to the next without end
    ├── FetchError               a fetch that could not be completed
    │   └── FetchRefusedError    ... because the registry refuses it
    ├── EncoderError             a model that cannot be loaded or is not the right one
    ├── EngineError              workers that cannot be used
    │   └── EngineLostError      ... or cannot be reached
    ├── JudgedSetError           a judged set that cannot be read
    ├── RelatedFileError         a file of related lists that cannot be read or written
    │   └── RelatedBusyError     ... because another run is writing it
    ├── CacheError               the cache of vectors cannot be used
    │   └── ForeignCacheError    ... because the file is something else
    ├── IndexReadError           see its subclasses
    │   ├── IndexNotFoundError   no index where one was looked for
    │   ├── IndexClosedError     the index was closed
    │   ├── GenerationNameError  a name that matches no generation, or several
    │   │   └── NoEarlierGenerationError  ... there is none to compare with
    │   ├── IndexCorruptError    a file of the index is missing, damaged or foreign
    │   └── RecipeError          index and code (or model) do not belong together
    └── BuildError               see its subclasses
        ├── ForeignFolderError   the target folder holds something else, or cannot be read
        ├── IndexBusyError       another process is writing there
        ├── GenerationError      no earlier generation to roll back to
        ├── GuardError           the new index differs too much from the current one
        │   ├── ShrinkError      ... it would lose many studies
        │   ├── EmptyFieldError  ... far more studies would lack a field
        │   └── MovedError       ... studies would get other neighbours
        ├── VerificationError    the index fails its own check
        ├── NoRoomError          the disk has less free space than a build needs
        └── PublishError         the disk refused (full, read-only, no permission)

Each keeps what it knows as attributes; `str(error)` is one neutral line: what is wrong and with
what. How to ask differently depends on the face (`--option`, form field, argument), which adds
it: those of the command are in `cli/hints.py`. `exit_code` is how the command ends:

    1     an error that a person must look at
    2     ArgumentError, FilterError, NctIdError: wrong usage, like what the command line refuses
    3     GuardError, RejectedRecordsError: not published; a person decides whether it is intended
    75    IndexBusyError, RelatedBusyError, NoAnswerError, FetchError, EngineLostError: the same
          command may succeed later (EX_TEMPFAIL of sysexits.h)
"""

from simsearch.errors.asking import (
    ArgumentError,
    FilterError,
    GoneStudyError,
    NctIdError,
    NothingToCompareError,
    UnknownFieldError,
    UnknownStudyError,
)
from simsearch.errors.base import NOT_PUBLISHED, TRY_LATER, WRONG_USAGE, SimsearchError, one_line
from simsearch.errors.index import (
    BuildError,
    EmptyFieldError,
    ForeignFolderError,
    GenerationError,
    GenerationNameError,
    GuardError,
    IndexBusyError,
    IndexClosedError,
    IndexCorruptError,
    IndexNotFoundError,
    IndexReadError,
    MovedError,
    NoEarlierGenerationError,
    NoRoomError,
    PublishError,
    RecipeError,
    ShrinkError,
    VerificationError,
)
from simsearch.errors.sources import (
    ApiError,
    CacheError,
    EncoderError,
    EngineError,
    EngineLostError,
    FetchError,
    FetchRefusedError,
    ForeignCacheError,
    JudgedSetError,
    MirrorError,
    NoAnswerError,
    RedirectError,
    RejectedRecordsError,
    RelatedBusyError,
    RelatedFileError,
    SourceError,
)

__all__ = [
    "ApiError",
    "ArgumentError",
    "BuildError",
    "CacheError",
    "EmptyFieldError",
    "EncoderError",
    "EngineError",
    "EngineLostError",
    "FetchError",
    "FetchRefusedError",
    "FilterError",
    "ForeignCacheError",
    "ForeignFolderError",
    "GenerationError",
    "GenerationNameError",
    "GoneStudyError",
    "GuardError",
    "IndexBusyError",
    "IndexClosedError",
    "IndexCorruptError",
    "IndexNotFoundError",
    "IndexReadError",
    "JudgedSetError",
    "MirrorError",
    "MovedError",
    "NOT_PUBLISHED",
    "NctIdError",
    "NoAnswerError",
    "NoEarlierGenerationError",
    "NoRoomError",
    "NothingToCompareError",
    "PublishError",
    "RecipeError",
    "RedirectError",
    "RejectedRecordsError",
    "RelatedBusyError",
    "RelatedFileError",
    "ShrinkError",
    "SimsearchError",
    "SourceError",
    "TRY_LATER",
    "UnknownFieldError",
    "UnknownStudyError",
    "VerificationError",
    "WRONG_USAGE",
    "one_line",
]
