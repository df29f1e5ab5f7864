"""Modules say what they are and stay small.

Which module may import which is held by import-linter: `make lint`, contracts in pyproject.toml.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = ("rag", "ingest", "eval", "api")
MOST_LINES = 400
MODULES = sorted(path for block in BLOCKS for path in (ROOT / block).rglob("*.py"))
IDS = [path.relative_to(ROOT).as_posix() for path in MODULES]
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in zip(IDS, MODULES, strict=True)}


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the packages that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_the_tree_is_found() -> None:
    assert len(MODULES) > 30
    assert {"rag/store/catalog.py", "ingest/build.py", "api/cli.py"} <= set(IDS)


@pytest.mark.parametrize("name", IDS)
def test_every_module_says_what_it_is(name: str) -> None:
    docstring = ast.get_docstring(TREES[name]) or ""
    assert len(docstring.split()) >= 3


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_no_module_is_large(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_only_settings_reads_the_environment() -> None:
    readers = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    }
    assert {name for name in readers if name.startswith(("rag/", "ingest/"))} == {"rag/settings.py"}


def test_nothing_is_pickled() -> None:
    names = {name for tree in TREES.values() for name in imported(tree)}
    assert names.isdisjoint({"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"})


SQL = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|PRAGMA|BEGIN|WITH) [A-Za-z_*(\"]")
RUNS = ("execute", "executemany", "executescript")


@pytest.mark.parametrize(("name", "tree"), TREES.items(), ids=TREES)
def test_sql_stands_in_the_store_alone(name: str, tree: ast.Module) -> None:
    if name.startswith("rag/store/"):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not SQL.match(node.value), node.value
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in RUNS, ast.unparse(node)
