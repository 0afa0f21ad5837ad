"""Compare ways to encode texts on this machine, side by side in one run.

    python tests/benchmarks/encoding.py RECORDS [--texts 512] [--rounds 3] [--threads 1]
        [--studies 2000] [--workers 512] [--busy 0] [--seed 0]

RECORDS are registry records, at least some thousands. The variants take turns; a ratio is the
median of the ratios of all rounds, of elapsed time and of processor time. On a machine with other
users, trust processor time with --threads 1, since threads that wait for each other spin. Variants
that simsearch does not offer are built here from the same model, to show why; those that need a
compiler for torch.compile, or the packages onnx and onnxruntime, or openvino, are skipped if it is
missing. With --studies, a whole build is compared with the encoder alone on the same texts. With
--workers, so many texts are encoded with one batch a core, as simsearch does, and with torch's own
threads, beside --busy processes that do nothing but count.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from spine import Listed, TimedEncoder, machine, ten, timed

from simsearch import BuildReport, Study, build_index, load_encoder, read_studies
from simsearch.encode.encoders import packaged_folder
from simsearch.encode.fields import FIELDS, has_words, whole_text

Forward = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(n, length) int64 token numbers and mask → (n, dimension) rows, of any length."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
SIZES = (8, 16, 32, 64)
BASE = "torch float32, 16"


class Pooled(torch.nn.Module):
    """The transformer and the mean over the tokens, which all variants compute."""

    def __init__(self, transformer: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids, attention_mask, token_type_ids):
        states = self.transformer(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(1) / mask.sum(1)


class Texts:
    """Tokenized texts, in batches that are padded to their longest text."""

    def __init__(self, tokens: list[list[int]]) -> None:
        self.tokens = tokens
        self.lengths = np.array([len(each) for each in tokens])

    def batches(self, size: int, *, packed: bool) -> Iterator[tuple[np.ndarray, ...]]:
        n = len(self.tokens)
        order = np.argsort(-self.lengths, kind="stable") if packed else np.arange(n)
        for at in range(0, n, size):
            numbers = order[at : at + size]
            mask = np.arange(self.lengths[numbers].max()) < self.lengths[numbers][:, None]
            ids = np.zeros(mask.shape, dtype=np.int64)
            ids[mask] = np.concatenate([self.tokens[number] for number in numbers])
            yield numbers, ids, mask.astype(np.int64)

    def encode(self, forward: Forward, size: int, *, packed: bool = True) -> np.ndarray:
        rows = np.zeros((len(self.tokens), 384), dtype=np.float32)
        for numbers, ids, mask in self.batches(size, packed=packed):
            rows[numbers] = forward(ids, mask)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records")
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--studies", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{machine()}, torch {torch.__version__}, {instructions()}, seed {options.seed}")
    torch.set_num_threads(options.threads)
    rng = random.Random(options.seed)
    studies = [each for each in read_studies(options.records) if isinstance(each, Study)]
    if options.texts:
        sample = rng.sample(studies, min(options.texts, len(studies)))
        compare([whole_text(study) for study in sample], options.rounds)
    if options.workers:
        compare_workers(studies, rng, options.workers, options.rounds, options.busy)
    if options.studies:
        whole_build(rng.sample(studies, min(options.studies, len(studies))), options.rounds)


def compare(texts: list[str], rounds: int) -> None:
    """Print the rates of all variants, and how closely each agrees with float32."""
    model = SentenceTransformer(str(packaged_folder()), device="cpu")
    tokens = model.tokenizer(texts, truncation=True, max_length=256)["input_ids"]
    prepared = Texts(tokens)
    print(f"{len(texts)} whole texts of {prepared.lengths.mean():.0f} tokens on average, "
          f"{torch.get_num_threads()} threads")  # fmt: skip
    variants = dict(runs(prepared, Pooled(model[0].auto_model).eval()))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    rows = {}
    for round_ in range(rounds):
        for name, run in variants.items():
            began = time.process_time()
            elapsed = timed(lambda name=name, run=run: rows.update({name: run()}))
            times[name].append((elapsed, time.process_time() - began))
        print(f"round {round_ + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", flush=True)
    full, base = rows[BASE], np.array(times[BASE])
    print("variant                          texts/s  of processor  ratio  of processor  "
          "least cosine  same ten")  # fmt: skip
    for name in variants:
        rate, of_processor = len(texts) / np.min(times[name], axis=0)
        ratio, processor_ratio = np.median(base / np.array(times[name]), axis=0)
        least = (rows[name] * full).sum(axis=1).min()
        same = np.mean([len(ten(rows[name], n) & ten(full, n)) / 10 for n in range(len(texts))])
        print(f"{name:32} {rate:7.1f} {of_processor:13.1f} {ratio:6.2f} {processor_ratio:13.2f} "
              f"{least:13.5f} {same:9.1%}", flush=True)  # fmt: skip


def runs(texts: Texts, module: torch.nn.Module) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Yield the variants: the name, and a function that encodes the texts."""
    float32, bfloat16 = in_torch(module, half=False), in_torch(module, half=True)
    yield BASE, lambda: texts.encode(float32, 16)
    for size in SIZES:
        yield f"torch bfloat16, {size}", lambda size=size: texts.encode(bfloat16, size)
    yield "torch bfloat16, 16, not packed", lambda: texts.encode(bfloat16, 16, packed=False)
    for name, make in (("compiled bfloat16", in_compiled), ("openvino", in_openvino),
                       ("onnx", in_onnx)):  # fmt: skip
        try:
            for kind, forward in make(module):
                for size in (16, 32):
                    yield (
                        f"{name}{kind}, {size}",
                        (lambda forward=forward, size=size: texts.encode(forward, size)),
                    )
        except (ImportError, RuntimeError) as error:
            print(f"{name} is skipped: {str(error).splitlines()[0]}")


def in_torch(module: torch.nn.Module, *, half: bool) -> Forward:
    def forward(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            rows = module(torch.from_numpy(ids), torch.from_numpy(mask),
                          torch.zeros(ids.shape, dtype=torch.int64))  # fmt: skip
        return rows.float().numpy()

    return forward


def in_compiled(module: torch.nn.Module) -> Iterator[tuple[str, Forward]]:
    forward = in_torch(torch.compile(module, dynamic=True), half=True)
    mask = np.ones((16, 99), dtype=np.int64)
    began = time.perf_counter()
    forward(mask, mask)
    print(f"torch.compile took {time.perf_counter() - began:.0f} s")
    yield "", forward


def in_openvino(module: torch.nn.Module) -> Iterator[tuple[str, Forward]]:
    import openvino

    converted = openvino.convert_model(module, example_input=example())
    for precision in ("f32", "bf16"):
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = openvino.Core().compile_model(converted, "CPU", settings)
        yield (
            f" {precision}",
            (lambda ids, mask, compiled=compiled: compiled([ids, mask, np.zeros_like(ids)])[0]),
        )


def in_onnx(module: torch.nn.Module) -> Iterator[tuple[str, Forward]]:
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        plain, quantized = f"{folder}/plain.onnx", f"{folder}/int8.onnx"
        axes = {name: {0: "text", 1: "token"} for name in INPUTS} | {"rows": {0: "text"}}
        torch.onnx.export(
            module, tuple(example().values()), plain, input_names=list(INPUTS),
            output_names=["rows"], dynamic_axes=axes, opset_version=17, dynamo=False,
        )  # fmt: skip
        quantize_dynamic(plain, quantized, weight_type=QuantType.QInt8, per_channel=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        for name, path in ((" float32", plain), (" int8", quantized)):
            session = onnxruntime.InferenceSession(path, options)
            yield (
                name,
                (
                    lambda ids, mask, session=session: session.run(
                        None, dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True))
                    )[0]
                ),
            )


def example() -> dict[str, torch.Tensor]:
    return {name: torch.ones((2, 9), dtype=torch.int64) for name in INPUTS}


def whole_build(studies: list[Study], rounds: int) -> None:
    """Compare a whole build with the encoder alone on the same texts, in turns."""
    texts = {text for study in studies for of in FIELDS.values() if has_words([text := of(study)])}
    ordered = sorted(texts, key=lambda text: (len(text), text))
    encoder = load_encoder()
    encoder.encode(ordered[:64])  # warm up
    ratios, inside = [], []
    for _ in range(rounds):
        bare = timed(lambda: encoder.encode(ordered))
        timing = TimedEncoder(encoder)
        with tempfile.TemporaryDirectory() as folder:
            whole = timed(lambda timing=timing, folder=folder: build(studies, folder, timing))
        ratios.append(bare / whole)
        inside.append(timing.seconds / whole)
    print(f"build of {len(studies):,} studies, {len(ordered):,} distinct texts: {whole:.1f} s; the "
          f"encoder alone {bare:.1f} s: whole rate over bare {np.median(ratios):.3f}; share of the "
          f"build spent in the encoder {np.median(inside):.3f}")  # fmt: skip


def compare_workers(
    studies: list[Study], rng: random.Random, n_texts: int, rounds: int, n_busy: int
) -> None:
    """Compare a batch a core with torch's own threads, in turns, on texts of all fields."""
    texts = sorted(
        {t for study in studies for of in FIELDS.values() if has_words([t := of(study)])}
    )
    texts = sorted(rng.sample(texts, min(n_texts, len(texts))), key=lambda text: (len(text), text))
    encoder = load_encoder()
    model = SentenceTransformer(str(packaged_folder()), device="cpu")
    half = encoder.precision == "bfloat16"

    def by_torch() -> np.ndarray:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found = [model.encode(texts[at : at + 256], batch_size=16, show_progress_bar=False)
                     for at in range(0, len(texts), 256)]  # fmt: skip
        rows = np.concatenate(found)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    ways = {"torch's threads": by_torch, "a batch a core": lambda: encoder.encode(texts)}
    rows = {name: run() for name, run in ways.items()}  # warm up
    differ = rows["torch's threads"].astype(np.float16) != rows["a batch a core"].astype(np.float16)
    print(f"{len(texts):,} texts, {encoder.precision}, {torch.get_num_threads()} threads, beside "
          f"{n_busy} busy processes; {differ.mean():.2%} of the 16-bit numbers differ")  # fmt: skip
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n_busy)]
    ratios = []
    try:
        for round_ in range(rounds):
            seconds = {}
            for name, run in ways.items():
                began = time.process_time()
                seconds[name] = timed(run), time.process_time() - began
            one, other = seconds.values()
            ratios.append(np.divide(one, other))
            rates = [f"{name} {len(texts) / each[0]:.1f}" for name, each in seconds.items()]
            print(f"round {round_ + 1}: {', '.join(rates)} texts a second, ratio "
                  f"{ratios[-1][0]:.2f}, of processor time {ratios[-1][1]:.2f}, load "
                  f"{os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip
    finally:
        for each in busy:
            each.kill()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"a batch a core: {np.median(ratios, axis=0)[0]:.2f} times torch's threads, "
          f"{np.median(ratios, axis=0)[1]:.2f} by processor time; peak {peak:.2f} GB")  # fmt: skip


def build(studies: list[Study], folder: str, encoder: TimedEncoder) -> BuildReport:
    return build_index(Listed(studies), Path(folder, "index"), encoder)


def instructions() -> str:
    found = torch.cpu.get_capabilities()
    names = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512_f", "avx2")
    return " ".join(name for name in names if found.get(name)) or "no known vector instructions"


if __name__ == "__main__":
    main()
