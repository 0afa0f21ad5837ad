"""The packaged models for a few texts, in plain numpy: a query with words waits for no torch.

To import torch and sentence-transformers takes 5 to 7 seconds. This reads the same files in a
third of one, and its rows are theirs to 1e-6 (a test).

The transformer is BERT: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers
for Language Understanding" (2019). The mean of its vectors of a text's tokens, scaled to length
1, stands for the text: Reimers and Gurevych, "Sentence-BERT" (2019).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from threading import Lock
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from simsearch.encode.encoders import (
    ADAPTED_MODEL,
    ADAPTER,
    PLAIN_MODEL,
    Encoder,
    adapter_changes,
    load_encoder,
    packaged_folder,
)
from simsearch.errors import EncoderError
from simsearch.vectors import unit_rows

FINGERPRINTS: Mapping[str, str] = MappingProxyType(
    {
        PLAIN_MODEL: "e85b20ae33507cfc1dc22a2980c20521612c627dfd9465a06ea23c543d6ed00f",
        ADAPTED_MODEL: "33cbaf2c9a1345fecd4170f00c8b05da41dca4ae8047c1d5e590b8a6fefa01d8",
    }
)
"""Packaged model → the fingerprint that `load_encoder` gives it."""

_TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

# What the weights' file does not say of the packaged model; its config.json does.
_N_LAYERS, _N_HEADS, _EPSILON, _MAX_TOKENS = 6, 12, 1e-12, 256

# Coefficients of formula 7.1.26 (see `_gelu`), from that of t⁰.
_COEFFICIENTS = np.array(
    [0, 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429], dtype=np.float32
)

_WORDS = "embeddings.word_embeddings.weight"
_NOT_WEIGHTS = {_WORDS, "embeddings.position_ids"}

_ONE_AT_A_TIME = Lock()

_Rows = npt.NDArray[np.float32]


def load_query_encoder(model: str, fingerprint: str) -> Encoder:
    """Load the model that built an index, to encode a text or two.

    Args:
        model: as `load_encoder` takes it.
        fingerprint: of the model that built the index. A packaged model is loaded without torch
            where it is the one; else `load_encoder` loads what is named.

    Raises:
        EncoderError: the model cannot be found or loaded, or its files are not the published ones.
    """
    if FINGERPRINTS.get(model) == fingerprint:
        return LightEncoder(model)
    return load_encoder(model)


class LightEncoder:
    """A packaged model as `Encoder`, in float32.

    Args:
        name: `PLAIN_MODEL` or `ADAPTED_MODEL`.

    Raises:
        EncoderError: a file is missing, or not the published one.
    """

    max_tokens = _MAX_TOKENS
    precision = "float32"

    def __init__(self, name: str) -> None:
        from safetensors import safe_open
        from tokenizers import Tokenizer

        self.name = name
        self.fingerprint = FINGERPRINTS[name]
        folder = packaged_folder()
        try:
            tokenizer = (folder / "tokenizer.json").read_bytes()
        except OSError as error:
            raise EncoderError(name, f"its tokenizer is missing: {error}") from error
        found = hashlib.sha256(tokenizer).hexdigest()
        if found != _TOKENIZER_SHA256:
            raise EncoderError(
                name, f"its tokenizer is not the published one (SHA-256 {found[:12]}…)"
            )
        self._tokenizer = Tokenizer.from_buffer(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        file: Any = safe_open(folder / "model.safetensors", "numpy")
        self._words = file.get_slice(_WORDS)  # half of the file: only rows that are asked for
        self._weights: dict[str, _Rows] = {
            key: file.get_tensor(key) for key in set(file.keys()) - _NOT_WEIGHTS
        }
        if name == ADAPTED_MODEL:
            changes, _ = adapter_changes(ADAPTER)
            for module, change in changes.items():
                self._weights[f"{module}.weight"] += change.astype(np.float32)
        self.dimension = len(self._weights["embeddings.LayerNorm.weight"])

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return (n,) the number of tokens of each whole text."""
        return np.array([len(self._tokens(text)) for text in texts], dtype=np.int64)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (n, dimension) float32 unit rows."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        from threadpoolctl import threadpool_limits

        # A second thread saves little on a text, and on a busy machine costs a second. The limit is
        # the whole process's, and set back to what it was before: by one of us at a time.
        with _ONE_AT_A_TIME, threadpool_limits(1, user_api="blas"):
            return unit_rows([self._row(self._tokens(text)) for text in texts])

    def _tokens(self, text: str) -> list[int]:
        numbers: list[int] = self._tokenizer.encode(text).ids
        return numbers

    def _row(self, tokens: list[int]) -> _Rows:
        """Return (dimension,) float32, the mean of the last layer's vectors of the tokens."""
        if len(tokens) > _MAX_TOKENS:  # the last of them all is the mark of the end
            tokens = [*tokens[: _MAX_TOKENS - 1], tokens[-1]]
        states = (
            np.concatenate([self._words[token : token + 1] for token in tokens])
            + self._weights["embeddings.position_embeddings.weight"][: len(tokens)]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._normalized(states, "embeddings.LayerNorm")
        for number in range(_N_LAYERS):
            states = self._layer(states, f"encoder.layer.{number}")
        mean: _Rows = states.mean(axis=0)
        return mean

    def _layer(self, states: _Rows, layer: str) -> _Rows:
        """Return (n_tokens, dimension) the states after a layer: attention, then two matrices."""
        heads = self._attention(states, f"{layer}.attention.self")
        states = self._normalized(
            states + self._product(heads, f"{layer}.attention.output.dense"),
            f"{layer}.attention.output.LayerNorm",
        )
        wide = _gelu(self._product(states, f"{layer}.intermediate.dense"))
        return self._normalized(
            states + self._product(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm"
        )

    def _attention(self, states: _Rows, attention: str) -> _Rows:
        """Return (n_tokens, dimension) what the heads gather for each token, side by side."""
        query, key, value = (
            self._product(states, f"{attention}.{part}")
            .reshape(len(states), _N_HEADS, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(np.float32(query.shape[-1]))
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        gathered: _Rows = (shares @ value).transpose(1, 0, 2).reshape(states.shape)
        return gathered

    def _product(self, states: _Rows, matrix: str) -> _Rows:
        return states @ self._weights[f"{matrix}.weight"].T + self._weights[f"{matrix}.bias"]

    def _normalized(self, states: _Rows, layer: str) -> _Rows:
        centred = states - states.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        scale = self._weights[f"{layer}.weight"] / np.sqrt(variance + np.float32(_EPSILON))
        normalized: _Rows = centred * scale + self._weights[f"{layer}.bias"]
        return normalized


def _gelu(values: _Rows) -> _Rows:
    """Return x · Φ(x) of each x, Φ being the distribution function of the normal distribution.

    By Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), formula 7.1.26, which
    errs by less than 1.5e-7: scipy has it exactly, but takes a fifth of a second to import.
    """
    size = np.abs(values) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * size)
    polynomial = np.polynomial.polynomial.polyval(t, _COEFFICIENTS)
    beyond = polynomial * np.exp(-size * size) / 2  # 1 - Φ(|x|)
    gated: _Rows = values * np.where(values < 0, beyond, 1 - beyond)
    return gated
