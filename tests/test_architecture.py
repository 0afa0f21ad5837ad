"""The order of modules, one owner a heavy library, and few public names."""

import ast
import inspect
import sys
from pathlib import Path

import pytest

import simsearch
from simsearch import search

PACKAGE = Path(simsearch.__file__).parent

# Lines import only from lines above.
ORDER = (
    "errors", "jobs", "study", "mirror", "api", "records.outcome", "records.archive",
    "records.text", "records.vocabulary",
    "records.assemble", "records.registry", "records.json_reader",
    "records.xml_reader", "records.csv_reader", "records.aact_reader",
    "records.sources", "records", "fields",
    "vectors", "backends", "encoders", "light_encoder",
    "cache_file", "cache", "engine", "index", "lexical",
    "store", "filters", "lock", "storage", "parts", "search", "tiles", "blocks", "related_memory",
    "related_files", "carried_over", "related", "queries", "empty_words", "reasons", "variety",
    "vector_files", "verification", "generations", "guards", "changes", "watching", "staging",
    "encoding", "room",
    "build", "fetch",
    "evaluation", "evaluation.measures", "evaluation.judged", "evaluation.rankers",
    "evaluation.baselines", "evaluation.scoring", "evaluation.slices", "evaluation.label_free",
    "evaluation.comparison", "reports", "presentation", "bulletin", "evaluation.report", "progress",
    "", "options",
    "commands", "commands.terminal", "commands.cache", "commands.building",
    "commands.rebuild", "commands.registry", "commands.query", "commands.related", "commands.info",
    "commands.index", "commands.diff", "commands.evaluate", "cli", "__main__",
)  # fmt: skip
COMMANDS = " ".join(name for name in ORDER if name.startswith("commands."))
OWNERS = {
    "faiss": "index", "sentence_transformers": "encoders", "torch": "encoders backends tiles",
    "openvino": "backends",
    "transformers": "encoders", "typer": f"cli options {COMMANDS}", "ijson": "records.json_reader",
    "defusedxml": "records.xml_reader", "httpx": "api", "tenacity": "api",
    "filelock": "lock", "pyarrow": "related_files", "distributed": "engine",
    "scipy": "lexical blocks", "tokenizers": "light_encoder",
    "sklearn": "lexical evaluation.baselines", "bm25s": "evaluation.baselines",
}  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if name.removeprefix("simsearch.") in ORDER}
            found |= modules or {str(node.module)}
    return found


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def test_every_module_has_its_place():
    assert set(MODULES) == set(ORDER)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_lines_above(name):
    above = set(ORDER[: ORDER.index(name)])
    ours = {each for each in imports(MODULES[name]) if each.split(".")[0] == "simsearch"}
    assert {each.removeprefix("simsearch").lstrip(".") for each in ours} <= above


@pytest.mark.parametrize("name", MODULES)
def test_a_heavy_library_has_one_owner(name):
    for library in {each.split(".")[0] for each in imports(MODULES[name])} & set(OWNERS):
        owner = OWNERS[library]
        assert name in owner.split(), f"{library} belongs to {owner}"


def test_only_the_command_reads_the_environment():
    for name, path in MODULES.items():
        if name not in {"cli", "commands.terminal", "commands.query", "commands.registry"}:
            assert "environ" not in path.read_text(encoding="utf-8"), name


def test_public_names_are_few_and_exist():
    assert len(simsearch.__all__) <= 16
    assert sorted(simsearch.__all__) == simsearch.__all__
    for name in simsearch.__all__:
        assert getattr(simsearch, name).__doc__


def test_files_stay_small():
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 520, path.name


def test_this_python_is_supported():
    assert sys.version_info >= (3, 11)


@pytest.mark.parametrize("name", [each for each in simsearch.__all__ if each.startswith("similar")])
def test_a_public_query_says_what_it_takes_and_raises(name):
    query = getattr(simsearch, name)
    for parameter in inspect.signature(query).parameters:
        assert f"        {parameter}: " in query.__doc__
    assert f"1 to `MAX_K` ({search.MAX_K:,})" in query.__doc__
    assert "IndexCorruptError" in query.__doc__
