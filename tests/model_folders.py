"""Small models with random weights, in folders of the shapes that published ones have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from conftest import WORDS

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", "passage", ":", ".", *WORDS]


def make_model(
    folder: Path,
    *,
    dimension: int = 24,
    length: int = 32,
    pooling: str | None = None,
    seed: int = 0,
    prompts: dict[str, str] | None = None,
    default_prompt: str | None = None,
    **settings: object,
) -> Path:
    """Write a BERT of one layer: config, weights, tokenizer.

    Args:
        folder: where; made if it is missing.
        dimension: of its vectors.
        length: how many tokens it takes.
        pooling: `cls` or `mean`, with the files of sentence-transformers; None for none of them.
        seed: of its weights.
        prompts: for config_sentence_transformers.json.
        default_prompt: the name of the prompt for everything.
        settings: for simsearch.json, if there are any.
    """
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    BertWordPieceTokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    write(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer"})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=len(VOCABULARY), hidden_size=dimension, num_hidden_layers=1,
            num_attention_heads=2, intermediate_size=16, max_position_embeddings=length,
            initializer_range=0.5,
        )  # fmt: skip
        BertModel(config).save_pretrained(folder)
    if pooling:
        write_modules(folder, dimension, length, pooling)
    if prompts:
        shape = {"prompts": prompts, "default_prompt_name": default_prompt}
        write(folder / "config_sentence_transformers.json", shape)
    if settings:
        write(folder / "simsearch.json", settings)
    return folder


def write_modules(folder: Path, dimension: int, length: int, pooling: str) -> None:
    """Write the files of sentence-transformers."""
    names = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    write(
        folder / "modules.json",
        [
            {"idx": n, "name": str(n), "path": path,
             "type": f"sentence_transformers.models.{kind}"}
            for n, (path, kind) in enumerate(names)
        ],
    )  # fmt: skip
    (folder / "1_Pooling").mkdir()
    write(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": dimension,
            **{f"pooling_mode_{name}_token{'s' * (name != 'cls')}": name == pooling
               for name in ("cls", "mean", "max")},
        },
    )  # fmt: skip
    write(folder / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False})


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def by_hand(folder: Path, texts: Sequence[str], pooling: str, length: int = 32) -> np.ndarray:
    """Return (n, dimension) unit rows that transformers alone computes, one text at a time."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

    model = BertModel.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        if len(ids) > length:
            ids = [*ids[: length - 1], ids[-1]]
        with torch.no_grad():
            states = model(torch.tensor([ids])).last_hidden_state[0].numpy()
        row = states[0] if pooling == "cls" else states.mean(axis=0)
        rows.append(row / np.linalg.norm(row))
    return np.array(rows)
