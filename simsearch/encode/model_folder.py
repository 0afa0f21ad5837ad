"""The folder of a model: how its texts are encoded, and whether all of it is there.

A folder of sentence-transformers says most of this itself: `modules.json` and `1_Pooling` the
pooling, `sentence_bert_config.json` the length, `config_sentence_transformers.json` the prefixes
("prompts"). What it leaves unsaid stands in a small file of ours beside them, `simsearch.json`.
The libraries take a folder that lacks something and fill in the rest, with random weights even;
the checks here refuse it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from simsearch.errors import EncoderError

SETTINGS_FILE = "simsearch.json"

_STORED = ("document", "passage", "corpus")  # names of the prompt of the texts that are searched
_ASKED = "query"
_VOCABULARIES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model",
    "tokenizer.model",
)  # fmt: skip
_MODULES_FILE = "modules.json"
_SET_UP = {"Pooling", "Dense"}  # modules that cannot be loaded without their settings
_WEIGHTS = "model.safetensors"
# Weights are compared by name for this kind of model only: those of some others are renamed when
# they are loaded. The pooler is used by no pooling, and often missing.
_CHECKED_KIND, _UNUSED = "bert", "pooler."
_OLD_NAMES = {".gamma": ".weight", ".beta": ".bias"}


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file `simsearch.json` in the folder of a model; all of it may be missing."""

    prefix: str | None = None
    """What each text begins with, such as `passage: `."""
    query_prefix: str | None = None
    """What the words of a question begin with; the `prefix` if it is missing."""
    pooling: Literal["cls", "mean", "max"] | None = None
    """How the vectors of tokens become one, where the folder has no `modules.json`."""
    max_tokens: int | None = None
    """How many tokens of a text are encoded, where that is fewer than the model takes."""
    query_model: str | None = None
    """The folder, from this one, of the model that encodes the words of a question."""


class _Module(msgspec.Struct):
    type: str
    path: str


class Prefixes(msgspec.Struct, frozen=True):
    """What texts begin with when they are encoded."""

    texts: str = ""
    words: str = ""
    """Of the words of a question."""


def folder_settings(model: str, folder: Path) -> ModelSettings:
    """Return the settings of a model's folder, after a look whether its files are there.

    Raises:
        EncoderError: a file is missing or wrong.
    """
    if not (folder / "config.json").is_file():
        raise EncoderError(model, "cannot be loaded: the folder has no config.json")
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise EncoderError(
            model, "cannot be loaded: the folder has no tokenizer.json and no vocabulary"
        )
    settings = _read(model, folder / SETTINGS_FILE)
    has_modules = (folder / _MODULES_FILE).is_file()
    if has_modules:
        _check_modules(model, folder)
    if not has_modules and settings.pooling is None:
        raise EncoderError(
            model,
            "nothing in the folder says how to pool its token vectors: write "
            f'{{"pooling": "cls"}} or {{"pooling": "mean"}} into its {SETTINGS_FILE}',
        )
    if has_modules and settings.pooling is not None:
        raise EncoderError(
            model, f"its modules.json says the pooling: remove it from {SETTINGS_FILE}"
        )
    if settings.query_model is not None and not (folder / settings.query_model).is_dir():
        raise EncoderError(model, f"its query_model, {settings.query_model}, is no folder")
    return settings


def prefixes(
    settings: ModelSettings, prompts: Mapping[str, str | None], default: str | None
) -> Prefixes:
    """Return what texts and words begin with: as the settings say, else as the model does.

    Args:
        settings: those of the folder.
        prompts: name → text, as the model has them.
        default: the name of the model's prompt for everything, if it has one.
    """
    if settings.prefix is not None:
        both = settings.prefix
        return Prefixes(both, both if settings.query_prefix is None else settings.query_prefix)
    texts = words = prompts.get(default or "") or ""
    if not texts:
        texts = next(filter(None, map(prompts.get, _STORED)), "") or ""
        words = prompts.get(_ASKED) or texts
    return Prefixes(texts, words if settings.query_prefix is None else settings.query_prefix)


def check_length(model: str, wanted: int | None, most: int) -> int:
    """Return how many tokens are encoded.

    Args:
        model: for the error.
        wanted: by the settings.
        most: how many the model takes.

    Raises:
        EncoderError: the settings want more, or too few to hold a word.
    """
    least = 8
    if wanted is None:
        return most
    if not least <= wanted <= most:
        raise EncoderError(
            model, f"max_tokens in {SETTINGS_FILE} is {wanted}: give {least} to {most:,}"
        )
    return wanted


def check_weights(model: str, folder: Path, kind: str, names: Iterable[str]) -> None:
    """Refuse a model some of whose weights are in no file: the libraries make them up.

    Args:
        model: for the error.
        folder: of the model.
        kind: its type, as its `config.json` says.
        names: of all its weights.

    Raises:
        EncoderError: weights are missing.
    """
    path = folder / _WEIGHTS
    if kind != _CHECKED_KIND or not path.is_file():
        return
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        stored = {_renamed(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    missing = [
        name for name in names
        if not name.startswith(_UNUSED) and not {name, f"{_CHECKED_KIND}.{name}"} & stored
    ]  # fmt: skip
    if missing:
        raise EncoderError(
            model,
            f"{_WEIGHTS} lacks {len(missing):,} of its weights, such as {missing[0]}: "
            "download the folder again",
        )


def _check_modules(model: str, folder: Path) -> None:
    """Refuse a folder that lacks the settings of one of its modules."""
    try:
        modules = msgspec.json.decode((folder / _MODULES_FILE).read_bytes(), type=list[_Module])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EncoderError(
            model, f"cannot be loaded: its {_MODULES_FILE} cannot be read: {error}"
        ) from error
    for each in modules:
        kind = each.type.rpartition(".")[2]
        if kind in _SET_UP and not (folder / each.path / "config.json").is_file():
            raise EncoderError(
                model, f"cannot be loaded: the folder has no {each.path}/config.json ({kind})"
            )


def _renamed(name: str) -> str:
    for old, new in _OLD_NAMES.items():
        name = name.removesuffix(old) + new if name.endswith(old) else name
    return name


def _read(model: str, path: Path) -> ModelSettings:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelSettings)
    except FileNotFoundError:
        return ModelSettings()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EncoderError(model, f"its {SETTINGS_FILE} cannot be used: {error}") from error
