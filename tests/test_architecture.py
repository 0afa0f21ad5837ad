"""The order of folders, one owner a heavy library, few public names, and small files."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import simsearch

PACKAGE = Path(simsearch.__file__).parent

# A folder imports only from itself and from those before it. The files at the top come first.
ORDER = (
    "records", "registry", "encode", "index", "design", "search", "build", "related", "export",
    "diff", "review", "evaluation", "output", "web", "cli",
)  # fmt: skip
TOP = {"callbacks", "errors", "facts", "files", "study", "vectors"}
OWNERS = {
    "bm25s": ["evaluation.baselines"],
    "defusedxml": ["records.xml_reader"],
    "distributed": ["encode.dask"],
    "faiss": ["index.faiss_rows"],
    "fastapi": ["web"],
    "filelock": ["index.lock"],
    "httpx": ["registry.api"],
    "ijson": ["records.json_reader"],
    "openvino": ["encode.openvino"],
    "jinja2": ["web"],
    "markupsafe": ["web"],
    "mcp": ["web"],
    "pandas": ["search.answer", "search.compare"],
    "psycopg": ["export.sessions", "records.aact_server", "records.postgres"],
    "pyarrow": ["related.files", "export.parquet"],
    "rich": ["output", "cli"],
    "scipy": ["design.groups", "index.terms", "related", "evaluation"],
    "sentence_transformers": ["encode.encoders", "encode.loading"],
    "sklearn": ["index.terms", "evaluation.baselines", "evaluation.agreement"],
    "starlette": ["web"],
    "tenacity": ["registry.api"],
    "tokenizers": ["encode.minilm"],
    "torch": ["encode", "related.coarse_int8"],
    "transformers": ["encode.loading"],
    "typer": ["cli"],
    "uvicorn": ["web"],
    "zstandard": ["index.facts_blobs"],
}
"""Library → the modules, or folders of them, that import it."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> set[str]:
    """Return what a file imports: modules of ours by their whole names, libraries by theirs."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in inner if name.removeprefix("simsearch.") in MODULES}
            found.add(str(node.module))
    return found


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {module_name(path): path for path in FILES}


def place(module: str) -> int:
    """Return where a module stands in the order: the top files first, the package itself after."""
    folder = module.partition(".")[0]
    if folder in TOP:
        return 0
    return ORDER.index(folder) + 1 if folder in ORDER else len(ORDER)


def test_every_folder_and_file_at_the_top_has_its_place():
    found = {module.partition(".")[0] for module in MODULES}
    assert found == {*ORDER, *TOP, "", "__main__"}


@pytest.mark.parametrize("name", [each for each in MODULES if each])
def test_a_module_imports_only_from_its_folder_and_those_before(name):
    ours = {each for each in imports(MODULES[name]) if each.startswith("simsearch.")}
    for other in {each.removeprefix("simsearch.") for each in ours}:
        assert place(other) <= place(name), f"{name} imports {other}"


@pytest.mark.parametrize("name", MODULES)
def test_a_heavy_library_has_one_owner(name):
    for library in {each.split(".")[0] for each in imports(MODULES[name])} & set(OWNERS):
        owners = OWNERS[library]
        assert any(f"{name}.".startswith(f"{each}.") for each in owners), f"{library}: {owners}"


def test_only_the_command_reads_the_environment():
    for name, path in MODULES.items():
        if not name.startswith("cli."):
            assert "environ" not in path.read_text(encoding="utf-8"), name


def test_public_names_are_few_and_exist():
    assert len(simsearch.__all__) <= 16
    assert sorted(simsearch.__all__) == simsearch.__all__
    assert set(simsearch.__all__) <= set(dir(simsearch))
    for name in simsearch.__all__:
        assert getattr(simsearch, name).__doc__
    with pytest.raises(AttributeError, match="nothing_like_it"):
        simsearch.nothing_like_it  # noqa: B018


def test_files_and_functions_stay_small():
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                most = 40 if name.startswith("cli.") else 60
                assert lines <= most, f"{name}.{node.name} has {lines} lines"


QUERY = """
import runpy, sys
sys.argv = ["simsearch", "query", "NCT03540472"]
try:
    runpy.run_module("simsearch")
except SystemExit:
    pass
"""

FORBIDDEN = ("build", "related", "diff", "evaluation", "registry", "web")


@pytest.mark.parametrize(
    "words",
    [
        "import simsearch",
        "import simsearch; simsearch.open_index",
        "import simsearch; simsearch.open_index().related('NCT03540472')",
        QUERY,
    ],
    ids=["import", "open_index", "related", "query"],
)
def test_a_query_by_id_loads_only_what_it_needs(words, tmp_path):
    """Nothing of a build, of lists, of a diff, of an evaluation; no model."""
    code = f"{words}\nimport sys; print('\\n'.join(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    loaded = set(done.stderr.splitlines())
    folders = {each.split(".")[1] for each in loaded if each.startswith("simsearch.")}
    assert not folders & set(FORBIDDEN)
    assert not loaded & {"torch", "scipy", "sklearn", "sentence_transformers", "httpx", "pandas"}


def test_this_python_is_supported():
    assert sys.version_info >= (3, 11)
