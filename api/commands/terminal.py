"""What the commands share: options, exit codes, and how they print."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

CorpusOption = Annotated[str, typer.Option("--corpus", "-c", help="Name of the document set.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
UserOption = Annotated[str, typer.Option("--user", help="Whose session it is.")]

SOME_FAILED = 2  # exit code
out, notes = Console(), Console(stderr=True)


def say(text: str) -> None:
    """Print a line as it is: no markup, no colours, no wrapping."""
    out.print(printable(text), highlight=False, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Print a line on stderr as it is."""
    notes.print(printable(text), highlight=False, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(printable_json(value, indent=2))


def printable_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON that UTF-8 can hold."""
    return printable(json.dumps(value, ensure_ascii=False, indent=indent))


def printable(text: str) -> str:
    """Escape what UTF-8 cannot hold: half a surrogate pair, as of a file name in Latin-1."""
    return text.encode("utf-8", "backslashreplace").decode()


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr where that is a terminal; yield what is called as each part is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)
