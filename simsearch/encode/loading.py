"""A model of sentence-transformers, loaded from a folder or by name, and its fingerprint."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.encode.model_folder import ModelSettings, check_weights
from simsearch.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Settings of a layer that name its inputs and outputs: they do not affect vectors, and only some
# releases of sentence-transformers have them.
_IRRELEVANT_SETTINGS = {"module_input_name", "module_output_name"}


def loaded_model(
    model: str, folder: Path | None, settings: ModelSettings, device: str
) -> SentenceTransformer:
    """Load a model from a folder, or else by its name, and check that all of it is there.

    Raises:
        EncoderError: it cannot be loaded.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    try:
        # Weights that no file has are random: the unused ones are at least always the same.
        with quiet(), torch.random.fork_rng():
            torch.manual_seed(0)
            loaded = SentenceTransformer(
                str(folder or model), device=device, local_files_only=folder is not None
            )
            if settings.pooling:  # the libraries took the mean, for lack of a file that says it
                width = loaded.get_embedding_dimension()
                loaded[1] = type(loaded[1])(width, settings.pooling)
            row = loaded.encode(["text"], show_progress_bar=False)[0]
    except Exception as error:  # the libraries raise whatever the files of a model make them
        reason = first_line(error)
        if "ignore_mismatched_sizes" in reason:
            reason = "its weights have other sizes than its config.json says"
        raise EncoderError(model, f"cannot be loaded: {reason}") from error
    expected = loaded.get_embedding_dimension()
    if not np.isfinite(row).all():
        raise EncoderError(model, "its vectors have numbers that are not finite")
    if len(row) != expected:
        raise EncoderError(
            model, f"its vectors have {len(row):,} numbers, its files say {expected:,}"
        )
    body = getattr(loaded[0], "auto_model", None)
    if folder and body is not None:
        check_weights(model, folder, str(body.config.model_type), body.state_dict())
    return loaded


def twin_of(model: SentenceTransformer) -> SentenceTransformer:
    """Return a copy of a model that shares its weights, and has a tokenizer of its own."""
    weights = (*model.parameters(), *model.buffers())
    return copy.deepcopy(model, {id(each): each for each in weights})


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the progress bars and notices of the model libraries while a model is loaded."""
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


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return (str(error).strip() or repr(error)).splitlines()[0]


def fingerprint_of(model: SentenceTransformer, *others: str) -> str:
    """Return the SHA-256 of weights, tokenizer, pooling and length of a loaded model.

    Args:
        model: the model.
        others: further texts that determine its vectors; empty ones leave the digest as it is.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
    # Padding and truncation are omitted: the last call sets them, not the model.
    vocabulary = sorted(model.tokenizer.get_vocab().items())
    digest.update(repr((type(tokenizer).__name__, vocabulary)).encode())
    layers = [(type(layer).__name__, _layer_config(layer)) for layer in model]
    digest.update(repr((layers, model.max_seq_length)).encode())
    if any(others):
        digest.update(repr(others).encode())
    return digest.hexdigest()


def _layer_config(layer: Any) -> str:
    """Return the settings of a layer; empty for the transformer, whose weights determine them."""
    if hasattr(layer, "tokenizer"):
        return ""
    config = layer.get_config_dict() if hasattr(layer, "get_config_dict") else {}
    return repr(sorted(each for each in config.items() if each[0] not in _IRRELEVANT_SETTINGS))
