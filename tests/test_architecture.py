"""Modules have docstrings, stay small and few per folder, and no name means two things.

import-linter checks which module may import which: `make lint`, contracts in pyproject.toml.
"""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = ("rag", "ingest", "eval", "api")
MOST_LINES = 400
MOST_FILES = 15
MOST_FUNCTION_LINES = 60
MOST_DOCSTRING_LINES = 25
MODULES = sorted(path for block in BLOCKS for path in (ROOT / block).rglob("*.py"))
IDS = [path.relative_to(ROOT).as_posix() for path in MODULES]
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in zip(IDS, MODULES, strict=True)}
FOLDERS = sorted({Path(name).parent.as_posix() for name in IDS})
# The names of HTTP schemas belong to the API (OpenAPI shows them), whatever the internal values are called.
SCHEMAS = "api/http/schemas.py"
# A benchmark is a script: its constants are its own parameters, which no other module imports.
BENCHMARKS = "eval/benchmarks/"
SLOW_TO_IMPORT = {"llama_index", "torch", "transformers", "matplotlib", "ragas"}


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the packages that a module imports anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def public_definitions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each public class or constant that a module defines, and its definition."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, ast.unparse(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                yield from (
                    (name.id, ast.unparse(node.value)) for name in names if isinstance(name, ast.Name)
                )


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


@pytest.mark.parametrize(("name", "tree"), TREES.items(), ids=TREES)
def test_no_function_is_long(name: str, tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MOST_FUNCTION_LINES, node.name


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_is_crowded(folder: str) -> None:
    assert len(list((ROOT / folder).glob("*.py"))) <= MOST_FILES


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_room_says_what_lives_where(folder: str) -> None:
    said = ast.get_docstring(TREES[f"{folder}/__init__.py"]) or ""
    assert len(said.splitlines()) <= MOST_DOCSTRING_LINES
    modules = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}
    assert {module for module in modules if not re.search(rf"\b{module}\b", said)} == set()


def test_no_public_name_means_two_things() -> None:
    meanings: dict[str, dict[str, str]] = defaultdict(dict)
    for module, tree in TREES.items():
        for name, definition in public_definitions(tree):
            constant = not definition.startswith(("class ", "@"))
            if module == SCHEMAS or (constant and module.startswith(BENCHMARKS)):
                continue
            if name[0].isupper():
                meanings[name][definition] = module
    assert {name: [*found.values()] for name, found in meanings.items() if len(found) > 1} == {}


def test_only_settings_reads_the_environment() -> None:
    readers = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    }
    assert {name for name in readers if name.startswith(("rag/", "ingest/"))} == {"rag/settings/__init__.py"}


def test_nothing_is_pickled() -> None:
    names = {name for tree in TREES.values() for name in imported(tree)}
    assert names.isdisjoint({"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"})


@pytest.mark.parametrize("module", ["api.cli", "api.http.app"])
def test_what_is_slow_to_import_is_not_imported_at_start(module: str) -> None:
    code = f"import sys, {module}; print(*{SLOW_TO_IMPORT!r} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.split() == []


SQL = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|PRAGMA|BEGIN|WITH) [A-Za-z_*(\"]")
RUNS = ("execute", "executemany", "executescript")


@pytest.mark.parametrize(("name", "tree"), TREES.items(), ids=TREES)
def test_sql_stands_in_the_store_alone(name: str, tree: ast.Module) -> None:
    # A benchmark reads a data folder bypassing the code that it measures.
    if name.startswith(("rag/store/", BENCHMARKS)):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not SQL.match(node.value), node.value
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in RUNS, ast.unparse(node)
