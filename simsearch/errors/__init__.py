"""Every error that simsearch raises on purpose.

    SimsearchError
    ├── ArgumentError            a value out of its range, or of the wrong type
    ├── FilterError              a filter value that no study can have
    │   └── UnknownFieldError    ... because no record in the index has that field
    ├── NctIdError               text that is not an NCT ID
    ├── UnknownStudyError        a valid NCT ID that is not in this index
    │   ├── GoneStudyError       ... because the study has left the registry
    │   └── UnknownNumberError   ... a number of another registry, in its place
    ├── SharedNumberError        a number of another registry that several studies have
    ├── NothingToCompareError    a study or text without a word to compare
    ├── SourceError              a source of records that cannot be read, or not to its end
    │   ├── SourceLostError      ... because a server does not answer, or went away
    │   └── RejectedRecordsError ... or with too many unusable records
    ├── MirrorError              the mirror cannot be read or written
    │   └── NoFetchYetError      ... or contains no complete fetch
    ├── ApiError                 the registry refuses a request
    │   ├── NoAnswerError        ... or does not answer
    │   └── RedirectError        ... or redirects without end
    ├── FetchError               a fetch that could not be completed
    │   ├── FetchRefusedError    ... because the registry refuses it
    │   └── DoubtfulAnswersError ... or its answers are not believed
    ├── EncoderError             a model that cannot be loaded, or is not the expected one
    ├── EngineError              Dask workers that cannot be used
    │   └── EngineLostError      ... or cannot be reached
    ├── JudgedSetError           a judged set that cannot be read
    ├── ExportError              a place that an export cannot be written to
    │   └── ExportBusyError      ... because another writes there, or the connection was lost
    ├── RelatedFileError         a file of related lists that cannot be read or written
    │   ├── ForeignRelatedFileError  ... because it is something else
    │   └── RelatedBusyError     ... because another run is writing it
    ├── ReviewError              a review's folder that cannot be read or written
    │   ├── NoReviewError        ... because no review was begun in it
    │   └── ReviewBusyError      ... because another process is writing it
    ├── ImportedDecisionsError   a file of decisions that cannot be imported
    ├── AddressError             an address at which nothing can be served
    ├── MissingExtraError        a library that only one part needs is not installed
    ├── CacheError               the cache of vectors cannot be used
    │   └── ForeignCacheError    ... because the file is something else
    ├── IndexReadError           an index that cannot be read:
    │   ├── IndexNotFoundError   there is none where one was expected
    │   ├── IndexClosedError     it is closed
    │   ├── GenerationNameError  a name matches none of its generations, or several
    │   │   └── NoEarlierGenerationError  ... or there is no earlier one to compare with
    │   ├── IndexCorruptError    a file of it is missing, damaged or foreign
    │   └── RecipeError          its recipe is not that of the code or the model
    └── BuildError               an index that cannot be written:
        ├── ForeignFolderError   the folder holds something else, or cannot be read
        ├── IndexBusyError       another process is writing there
        ├── GenerationError      no earlier generation to roll back to
        ├── GuardError           the new index differs too much from the current one
        │   ├── ShrinkError      ... it would lose many studies
        │   ├── EmptyFieldError  ... far more studies would lack a field
        │   └── MovedError       ... studies would get other neighbours
        ├── VerificationError    the new index fails its own check
        ├── NoRoomError          the disk has less free space than a build needs
        └── PublishError         a write failed (disk full, read-only, no permission)

Each has the facts as attributes; `str(error)` is one neutral line that says what is wrong, and
with what. What to do about it depends on the face (an option, a form field, an argument), so the
face adds that: the hints of the command line are in `cli/hints.py`. `exit_code` is the exit code
of the command:

    1     an error that a person must look into
    2     ArgumentError, FilterError, NctIdError: wrong usage
    3     GuardError, RejectedRecordsError: not published; a person decides whether it is intended
    75    IndexBusyError, RelatedBusyError, ExportBusyError, ReviewBusyError, NoAnswerError,
          FetchError, EngineLostError, SourceLostError: the same command may succeed later
          (EX_TEMPFAIL of sysexits.h)
"""

from simsearch.errors.asking import (
    ArgumentError,
    FilterError,
    GoneStudyError,
    NctIdError,
    NothingToCompareError,
    SharedNumberError,
    UnknownFieldError,
    UnknownNumberError,
    UnknownStudyError,
)
from simsearch.errors.base import (
    NOT_PUBLISHED,
    TRY_LATER,
    WRONG_USAGE,
    SimsearchError,
    one_line,
    records_to,
)
from simsearch.errors.exporting import ExportBusyError, ExportError
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
from simsearch.errors.review import (
    ImportedDecisionsError,
    NoReviewError,
    ReviewBusyError,
    ReviewError,
)
from simsearch.errors.serving import AddressError, MissingExtraError
from simsearch.errors.sources import (
    ApiError,
    CacheError,
    DoubtfulAnswersError,
    EncoderError,
    EngineError,
    EngineLostError,
    FetchError,
    FetchRefusedError,
    ForeignCacheError,
    ForeignRelatedFileError,
    JudgedSetError,
    MirrorError,
    NoAnswerError,
    NoFetchYetError,
    RedirectError,
    RejectedRecordsError,
    RelatedBusyError,
    RelatedFileError,
    SourceError,
    SourceLostError,
)

__all__ = [
    "NOT_PUBLISHED",
    "TRY_LATER",
    "WRONG_USAGE",
    "AddressError",
    "ApiError",
    "ArgumentError",
    "BuildError",
    "CacheError",
    "DoubtfulAnswersError",
    "EmptyFieldError",
    "EncoderError",
    "EngineError",
    "EngineLostError",
    "ExportBusyError",
    "ExportError",
    "FetchError",
    "FetchRefusedError",
    "FilterError",
    "ForeignCacheError",
    "ForeignFolderError",
    "ForeignRelatedFileError",
    "GenerationError",
    "GenerationNameError",
    "GoneStudyError",
    "GuardError",
    "ImportedDecisionsError",
    "IndexBusyError",
    "IndexClosedError",
    "IndexCorruptError",
    "IndexNotFoundError",
    "IndexReadError",
    "JudgedSetError",
    "MirrorError",
    "MissingExtraError",
    "MovedError",
    "NctIdError",
    "NoAnswerError",
    "NoEarlierGenerationError",
    "NoFetchYetError",
    "NoReviewError",
    "NoRoomError",
    "NothingToCompareError",
    "PublishError",
    "RecipeError",
    "RedirectError",
    "RejectedRecordsError",
    "RelatedBusyError",
    "RelatedFileError",
    "ReviewBusyError",
    "ReviewError",
    "SharedNumberError",
    "ShrinkError",
    "SimsearchError",
    "SourceError",
    "SourceLostError",
    "UnknownFieldError",
    "UnknownNumberError",
    "UnknownStudyError",
    "VerificationError",
    "one_line",
    "records_to",
]
