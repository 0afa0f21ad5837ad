"""Other runtimes for a model's transformer than torch; the only importer of openvino.

The transformer is converted in memory when the model is loaded, which takes some seconds:
no file is kept that could belong to other weights.
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
    """See that a runtime is installed.

    Raises:
        EncoderError: it is not.
    """
    if backend != "torch" and importlib.util.find_spec(backend) is None:
        raise EncoderError(
            model, f"--backend {backend} needs a package: pip install 'simsearch[{backend}]'"
        )


def run_in_openvino(transformer: Any, example: dict[str, Any], precision: str) -> None:
    """Have OpenVINO compute what a transformer's `forward` does, on the processor.

    Args:
        transformer: of the transformers library, on the CPU; its `forward` is replaced.
        example: tensors by name, (n_texts, n_tokens) int64, as its tokenizer makes them.
        precision: `float32` or `bfloat16`, of the matrix products.
    """
    import openvino
    import torch

    names = list(example)

    class States(torch.nn.Module):
        """The transformer with its output of interest alone, and its inputs in order."""

        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, *inputs: torch.Tensor) -> Any:
            return self.transformer(**dict(zip(names, inputs, strict=True)))[_STATES]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch finds fault with how openvino traces a model
        converted = openvino.convert_model(States().eval(), example_input=tuple(example.values()))
    settings = {"INFERENCE_PRECISION_HINT": _TYPES[precision], "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(converted, "CPU", settings)

    def forward(**inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs = compiled([inputs[name].numpy() for name in names])
        return {_STATES: torch.from_numpy(outputs[0])}

    transformer.forward = forward
