"""The commands about conversations: talk over a corpus, see what is remembered, and forget it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.batch import printable_json
from api.service import opened
from rag.conversation import ANYBODY, Session, check_name
from rag.errors import CitationError, InvalidInput
from rag.types import Answer

Corpus = Annotated[str, typer.Option("--corpus", "-c", help="Name of the document set.")]
User = Annotated[str, typer.Option("--user", help="Whose session it is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
SessionName = Annotated[str, typer.Option("--session", help="Name of the session.")]
out, notes = Console(), Console(stderr=True)
memory_app = typer.Typer(no_args_is_help=True, help="What conversations are remembered.")


def chat(
    corpus: Corpus,
    session: Annotated[
        str | None, typer.Option("--session", help="Go on with this one; without it a new one begins.")
    ] = None,
    user: User = ANYBODY,
) -> None:
    """Ask one question after the other; a follow-up is understood from what was said before.

    Reads a question a line, until the end of the input or an empty line.
    """
    name = session or f"{time.strftime('chat-%Y-%m-%d-%H%M%S')}-{os.getpid()}"
    check_name("session", name)
    check_name("user", user)
    with opened() as service:
        service.pipeline.index(corpus)  # an unknown corpus ends it before the first question
        notes.print(f"Session {name}. An empty line ends it.", highlight=False, markup=False)
        for question in _lines():
            try:
                answer = service.conversations.ask(service.pipeline, Session(corpus, name, user), question)
            except (InvalidInput, CitationError) as error:
                notes.print(f"ibid: {error}", highlight=False, markup=False, soft_wrap=True)
                continue
            _print(question, answer)


@memory_app.command("list")
def list_memory(
    corpus: Annotated[str | None, typer.Option("--corpus", "-c", help="Only about this one.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="Show its exchanges.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Only of this user.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the sessions that are remembered, or with --session and --corpus what one holds."""
    with opened() as service:
        if session is not None:
            if corpus is None:
                raise InvalidInput("--session needs --corpus: which document set it is about.")
            turns = service.conversations.turns(Session(corpus, session, user or ANYBODY))
            if as_json:
                return print(printable_json([asdict(turn) for turn in turns], indent=2))
            for turn in turns:
                meant = f"  ({turn.rewritten})" if turn.rewritten != turn.question else ""
                _plain(
                    f"{_date(turn.asked)}  {turn.question}{meant}\n    {' '.join(turn.answer.split()) or 'No answer.'}"
                )
            return None
        sessions = service.conversations.sessions(corpus=corpus, user=user)
    if as_json:
        return print(printable_json([asdict(info) for info in sessions], indent=2))
    for info in sessions:
        whose = f", of {info.user}" if info.user else ""
        _plain(f"{info.name}  about {info.corpus}{whose}: {info.turns} exchanges, last {_date(info.last)}")
    return None


@memory_app.command("forget")
def forget(corpus: Corpus, session: SessionName, user: User = ANYBODY) -> None:
    """Forget a session, for good."""
    with opened() as service:
        held = service.conversations.forget(Session(corpus, session, user))
    _plain(f"{session}: {held} exchanges forgotten")


def _lines() -> Iterator[str]:
    """Yield what is typed, or piped in, a line at a time, up to the first empty one."""
    while True:
        if sys.stdin.isatty():
            out.print("[bold]>[/bold] ", end="")
        line = sys.stdin.readline()
        if not line.strip():
            return
        yield line.strip()


def _print(question: str, answer: Answer) -> None:
    meant = answer.trace.question
    if meant != question:
        out.print(f"[dim]({escape(meant)})[/dim]", highlight=False)
    for remark in answer.trace.remarks:
        if not remark.startswith("Rewritten"):
            out.print(f"[dim]{escape(remark)}[/dim]", highlight=False)
    text = answer.text if answer.answerable else f"No answer. {answer.reason}"
    out.print(escape(text), highlight=False)
    for one in answer.recalled:
        said = " ".join(one.answer.split())[:200]
        out.print(
            f"[dim]before, {_date(one.asked)}: {escape(one.question)} {escape(said)}[/dim]", highlight=False
        )
    sources = {one.label: one.document for one in answer.citations}
    for label, document in sorted(sources.items()):
        out.print(f"  \\[{label}] {escape(document)}", highlight=False)


def _plain(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
