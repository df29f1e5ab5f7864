"""The README tells the truth: its commands, settings and endpoints are the real ones."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from api.cli import app
from api.http.app import create_app
from eval.report.tables import settings_table
from rag.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
METHODS = "GET|POST|PUT|PATCH|DELETE"


def below(group: Any) -> dict[str, Any]:
    """Return the commands of a group; those of `ibid` itself are imported only when they are looked for."""
    return {name: group.get_command(None, name) for name in group.list_commands(None)}


def commands() -> set[str]:
    named = set()
    for name, command in below(get_command(app)).items():
        inner = getattr(command, "commands", None)
        named |= {f"{name} {inner_name}" for inner_name in inner} if inner else {name}
    return named


def test_every_command_is_documented() -> None:
    rows = re.findall(r"^\| `ibid ([a-z]+(?: [a-z]+)?)\b", README, re.MULTILINE)

    assert set(rows) == commands()


def test_every_command_explains_itself() -> None:
    for name, command in below(get_command(app)).items():
        assert command.help, name


def test_the_settings_table_is_the_real_one() -> None:
    assert settings_table() in README


def test_every_endpoint_is_documented(tmp_path: Path) -> None:
    schema = create_app(Settings(home=tmp_path)).openapi()
    served = {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}
    documented = set(re.findall(rf"`((?:{METHODS}) /\S*)`", README))

    assert served <= documented
    assert {entry for entry in documented - served if not entry.startswith("GET /")} == set()


@pytest.mark.parametrize("recipe", sorted(set(re.findall(r"\bmake ([a-z]+)\b", README))))
def test_every_recipe_exists(recipe: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", recipe], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_ci_runs_the_readme_s_own_test_command() -> None:
    assert "make test     #" in README
    assert re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_the_changelog_names_the_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert version
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()
