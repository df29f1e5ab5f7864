"""README and docs are true: their commands, settings, endpoints, figures, paths and links are the real ones."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from typer.main import get_command

from api.cli import app
from api.http.app import create_app
from eval.bench import MEASUREMENTS
from eval.report.tables import TABLE, TABLES, settings_table
from rag.settings import Settings, describe_settings

ROOT = Path(__file__).parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
}
README, CLI, HTTP = PAGES["README.md"], PAGES["docs/cli.md"], PAGES["docs/http.md"]
METHODS = "GET|POST|PUT|PATCH|DELETE"
# a path of this repository, in backticks; a pattern such as tests/ROOM/test_NAME.py has capitals
PATHS = r"`((?:rag|ingest|eval|api|tests|training|corpora|docs)/[a-z0-9_./-]*)`"


def below(group: Any) -> dict[str, Any]:
    """Return the commands of a group by name."""
    return {name: group.get_command(None, name) for name in group.list_commands(None)}


@cache
def commands() -> set[str]:
    named = set()
    for name, command in below(get_command(app)).items():
        inner = getattr(command, "commands", None)
        named |= {f"{name} {inner_name}" for inner_name in inner} if inner else {name}
    return named


def named_in_pages(pattern: str) -> set[tuple[str, str]]:
    """Return (page, matches of the pattern) for every page."""
    return {(page, found) for page, text in PAGES.items() for found in re.findall(pattern, text, re.M)}


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes from a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_command_is_documented() -> None:
    rows = re.findall(r"^\| `ibid ([a-z]+(?: [a-z]+)?)\b", CLI, re.MULTILINE)

    assert set(rows) == commands()


def test_every_command_explains_itself() -> None:
    for name, command in below(get_command(app)).items():
        assert command.help, name


def test_every_command_that_a_page_shows_exists() -> None:
    groups = {command.split()[0] for command in commands()}
    shown = named_in_pages(r"(?:^|`|\$ )ibid ([a-z]+(?: [a-z]+)?)\b")

    assert shown
    assert {
        (page, command)
        for page, command in shown
        if not {command, command.split()[0]} & commands() and command not in groups
    } == set()


def test_the_settings_table_is_the_real_one() -> None:
    assert settings_table() in PAGES["docs/settings.md"]


def test_every_setting_that_a_page_names_exists() -> None:
    settings = {"IBID_CONFIG", *(cell for row in describe_settings() for cell in row[:2])}

    assert {found for found in named_in_pages(r"\bIBID_[A-Z_]*[A-Z]\b") if found[1] not in settings} == set()


def test_every_endpoint_is_documented(tmp_path: Path) -> None:
    schema = create_app(Settings(home=tmp_path)).openapi()
    served = {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}
    documented = set(re.findall(rf"`((?:{METHODS}) /\S*)`", HTTP))

    assert served <= documented
    assert {entry for entry in documented - served if not entry.startswith("GET /")} == set()


def test_every_recipe_exists() -> None:
    recipes = {recipe for _, recipe in named_in_pages(r"(?:^|`)make ([a-z-]+)")}
    done = subprocess.run(
        ["make", "--dry-run", *recipes], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert recipes >= {"install", "demo", "test", "lint"}
    assert done.returncode == 0, done.stderr


def test_every_benchmark_exists() -> None:
    shown = named_in_pages(r"python -m eval\.bench((?:[ \n][a-z0-9-]+)+)`")

    assert shown
    assert {
        (page, name) for page, names in shown for name in names.split() if name not in MEASUREMENTS
    } == set()


def test_every_path_exists() -> None:
    assert {found for found in named_in_pages(PATHS) if not (ROOT / found[1]).exists()} == set()


def test_every_link_resolves() -> None:
    dead = set()
    for page, link in named_in_pages(r"\]\((?!http)([^)\s]+)\)"):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            dead.add((page, link))

    assert dead == set()


def test_every_table_is_shown_once() -> None:
    shown = [match["name"] for text in PAGES.values() for match in TABLE.finditer(text)]

    assert sorted(shown) == sorted(TABLES)


def test_every_page_is_reached_from_the_readme() -> None:
    assert {name for name in PAGES if name != "README.md"} <= set(re.findall(r"\]\(([^)#]+)\)", README))


def test_the_readme_stays_short() -> None:
    assert 8_000 <= len(README.encode()) <= 10_000


def test_ci_runs_the_readme_s_own_test_command() -> None:
    assert "make test     #" in README
    assert re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_the_changelog_names_the_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert version
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()
