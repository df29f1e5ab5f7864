"""Start-up costs: the command line and the service import only what they use."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from api.cli import COMMANDS, app
from tests.typed import Ibid

HEAVY = {"llama_index", "torch", "transformers", "sentence_transformers", "matplotlib", "openai", "llmlingua"}
WEB = {"fastapi", "starlette", "uvicorn", "httpx"}
TOLD = "import atexit, sys; atexit.register(lambda: print('imported:', *sys.modules, file=sys.stderr))\n"


def imported(code: str, *arguments: object) -> set[str]:
    """Run Python code in a separate process; return the top-level modules that it imported."""
    run = [sys.executable, "-c", TOLD + code, *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    listed = done.stderr.rpartition("imported:")[2].split()
    return {name.partition(".")[0] for name in listed}


def commanded(*arguments: object) -> set[str]:
    return imported("from api.cli import main\nmain()", *arguments)


def test_help_imports_nothing_that_it_does_not_print() -> None:
    modules = commanded("--help")
    assert "typer" in modules
    others = {"numpy", "pydantic", "sqlite3", "_sqlite3", "onnxruntime", "faiss", "rich", "ingest", "eval"}
    assert modules & (HEAVY | WEB | others) == set()


def test_a_question_imports_what_answers_it(ibid: Ibid, home: Path) -> None:
    (home / "lamp.md").write_text("The lamp of the lighthouse burns whale oil.")
    assert ibid("ingest", home / "lamp.md", "--corpus", "sea").code == 0
    modules = commanded("ask", "--corpus", "sea", "What does the lamp burn?")
    assert {"onnxruntime", "faiss"} <= modules
    assert modules & (HEAVY | WEB) == set()


def test_the_service_imports_no_training_and_no_plots() -> None:
    assert imported("import api.http.app") & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_a_command_begins_its_own_help(name: str) -> None:
    group: Any = get_command(app)
    listed, command = group.commands[name], group.get_command(None, name)
    assert command.help.replace("\n", " ").startswith(listed.help)
