"""The house: imports point one way, modules say what they are and stay small."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "rag": {"rag"},
    "ingest": {"ingest", "rag"},
    "eval": {"eval", "ingest", "rag"},
    "api": {"api", "eval", "ingest", "rag"},
}
OURS = {*MAY_IMPORT, "training", "tests"}
LLAMA_INDEX = {
    "ingest/chunking/chunk.py",
    "ingest/chunking/chunker.py",
    "ingest/load.py",
    "rag/llama_index.py",
    "api/llama_index.py",
}
MOST_LINES = 400
MODULES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))
IDS = [path.relative_to(ROOT).as_posix() for path in MODULES]


def imported(path: Path) -> set[str]:
    """Return every module that a file names in an import, wherever in the file it stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = (
                ".".join(path.relative_to(ROOT).with_suffix("").parts[: -node.level]) if node.level else ""
            )
            names.add(".".join(part for part in (package, node.module) if part))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names |= {
                part.value.split("{")[0].rstrip(".")
                for argument in node.args
                for part in ast.walk(argument)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            }
    return names


def test_the_tree_is_found() -> None:
    assert len(MODULES) > 30
    assert {"rag/store/catalog.py", "ingest/build.py", "api/cli.py"} <= set(IDS)


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_imports_point_one_way(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    tops = {name.split(".")[0] for name in imported(path)}
    assert (tops & OURS) - MAY_IMPORT[own] == set()


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_only_chunkers_and_loaders_know_llama_index(path: Path) -> None:
    knows = any(name.split(".")[0] == "llama_index" for name in imported(path))
    assert not knows or path.relative_to(ROOT).as_posix() in LLAMA_INDEX


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_every_module_says_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert len(docstring.split()) >= 3


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_no_module_is_large(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_only_settings_reads_the_environment() -> None:
    readers = {
        name
        for path, name in zip(MODULES, IDS, strict=True)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    }
    assert {name for name in readers if name.startswith(("rag/", "ingest/"))} == {"rag/settings.py"}


def test_nothing_is_pickled() -> None:
    names = {name.split(".")[0] for path in MODULES for name in imported(path)}
    assert names.isdisjoint({"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"})
