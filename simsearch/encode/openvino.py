"""OpenVINO as a runtime for a model's transformer; the only importer of openvino.

The transformer is converted in memory whenever the model is loaded, which takes a few seconds. No
converted file is kept, so none can be out of date.
"""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any, Literal

from simsearch.errors import EncoderError

Backend = Literal["torch", "openvino"]

_TYPES = {"float32": "f32", "bfloat16": "bf16"}
_STATES = "last_hidden_state"


def check_backend(model: str, backend: Backend) -> None:
    """Check that a backend is installed.

    Raises:
        EncoderError: it is not; `model` is the model that was to be loaded.
    """
    if backend != "torch" and importlib.util.find_spec(backend) is None:
        raise EncoderError(
            model, f"the {backend} backend is not installed: pip install 'simsearch[{backend}]'"
        )


def run_in_openvino(transformer: Any, example: dict[str, Any], precision: str) -> None:
    """Replace a transformer's `forward` by one that OpenVINO computes on the CPU.

    Args:
        transformer: a model of the transformers library, on the CPU; it is changed in place.
        example: the tokenizer's output for some texts: name → (n_texts, n_tokens) int64.
        precision: of the matrix products, `float32` or `bfloat16`.
    """
    import openvino
    import torch

    names = list(example)

    class States(torch.nn.Module):
        """The transformer with positional inputs and only its last hidden states as output."""

        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, *inputs: torch.Tensor) -> Any:
            return self.transformer(**dict(zip(names, inputs, strict=True)))[_STATES]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of the way in which openvino traces a model
        converted = openvino.convert_model(States().eval(), example_input=tuple(example.values()))
    settings = {"INFERENCE_PRECISION_HINT": _TYPES[precision], "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(converted, "CPU", settings)

    def forward(**inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs = compiled([inputs[name].numpy() for name in names])
        return {_STATES: torch.from_numpy(outputs[0])}

    transformer.forward = forward
