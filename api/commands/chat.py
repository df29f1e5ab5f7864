"""The commands about conversations: talk over a corpus, see what is remembered, put it right, and forget it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from api.commands.terminal import CorpusOption, JsonOption, UserOption, note, out, print_json, say
from api.service import opened
from rag.errors import CitationError, InvalidInput, StorageError
from rag.memory.conversation import ANYBODY, Session, SessionInfo, Turn, check_name
from rag.types import Answer, Fact

FactOption = Annotated[
    int,
    typer.Option("--fact", min=1, max=2**63 - 1, help="Its number, as `ibid memory list --facts` shows it."),
]
memory_app = typer.Typer(no_args_is_help=True, help="What conversations are remembered.")


def chat(
    corpus: CorpusOption,
    session: Annotated[
        str | None, typer.Option("--session", help="Go on with this one; without it a new one begins.")
    ] = None,
    user: UserOption = ANYBODY,
) -> None:
    """Ask one question after the other; a follow-up is understood from what was said before.

    Reads a question a line, until the end of the input or an empty line.
    """
    name = session or f"{time.strftime('chat-%Y-%m-%d-%H%M%S')}-{os.getpid()}"
    check_name("session", name)
    check_name("user", user)
    with opened() as service:
        service.load_ahead(corpus)
        service.pipeline.index(corpus)  # an unknown corpus ends it before the first question
        note(f"Session {name}. An empty line ends it.")
        talk = Session(corpus, name, user)
        for question in _lines():
            try:
                answer = service.conversations.ask(service.pipeline, talk, question)
                _print(question, answer)
                service.conversations.tidy(talk, service.pipeline)
            except (InvalidInput, CitationError, StorageError) as error:
                note(f"ibid: {error}")


@memory_app.command("list")
def list_memory(
    corpus: Annotated[str | None, typer.Option("--corpus", "-c", help="Only about this one.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="Show its exchanges.")] = None,
    facts: Annotated[bool, typer.Option("--facts", help="Show what the user stated.")] = False,
    history: Annotated[bool, typer.Option("--history", help="With --facts: superseded ones too.")] = False,
    user: Annotated[str | None, typer.Option("--user", help="Only of this user.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the sessions that are remembered, with --session what one holds, with --facts what a user stated."""
    if corpus is None and (session is not None or facts):
        raise InvalidInput("--session and --facts need --corpus: which document set they are about.")
    if (session is not None and facts) or (history and not facts):
        raise InvalidInput("Give --session or --facts, and --history with --facts alone.")
    with opened() as service:
        if corpus is not None:
            service.catalog.corpora.require(corpus)
        found: Sequence[Turn | Fact | SessionInfo]
        if corpus is not None and session is not None:
            found = service.conversations.turns(Session(corpus, session, user or ANYBODY))
        elif corpus is not None and facts:
            found = service.conversations.facts.all(corpus, user or ANYBODY, history=history)
        else:
            found = service.conversations.sessions(corpus=corpus, user=user)
    if as_json:
        return print_json([asdict(one) for one in found])
    for one in found:
        say(_line(one))
    return None


@memory_app.command("correct")
def correct(
    text: Annotated[str, typer.Argument(help="What to remember instead.")],
    corpus: CorpusOption,
    fact: FactOption,
    user: UserOption = ANYBODY,
) -> None:
    """Put a fact right; the wrong one is kept as history, until the fact is forgotten."""
    with opened() as service:
        corrected = service.conversations.facts.correct(service.embedder, corpus, user, fact, text)
    say(_line(corrected))


@memory_app.command("forget")
def forget(
    corpus: CorpusOption,
    session: Annotated[str | None, typer.Option("--session", help="The session to forget.")] = None,
    fact: Annotated[
        int | None, typer.Option("--fact", min=1, max=2**63 - 1, help="The fact to forget, with its history.")
    ] = None,
    user: UserOption = ANYBODY,
) -> None:
    """Forget a session and what was stated in it, or one fact, for good."""
    if (session is None) == (fact is None):
        raise InvalidInput("Give --session NAME or --fact NUMBER: what to forget.")
    with opened() as service:
        if fact is not None:
            held = service.conversations.facts.forget(corpus, user, fact)
            return say(f"fact {fact}: forgotten{', with its history' if held > 1 else ''}")
        held = service.conversations.forget(Session(corpus, session or "", user))
    return say(f"{session}: {held} exchanges forgotten")


def _line(one: Turn | Fact | SessionInfo) -> str:
    if isinstance(one, Turn):
        meant = f"  ({one.rewritten})" if one.rewritten != one.question else ""
        answer = " ".join(one.answer.split()) or "No answer."
        return f"{_date(one.asked)}  {one.question}{meant}  [{one.tier}]\n    {answer}"
    if isinstance(one, Fact):
        source = f"{'put right, of' if one.corrected else 'in'} session {one.session}"
        until = f", until {_date(one.superseded)}" if one.superseded else ""
        return f"{one.id}  {one.text}  ({source}, {_date(one.stated)}{until})"
    whose = f", of {one.user}" if one.user else ""
    return f"{one.name}  about {one.corpus}{whose}: {one.turns} exchanges, last {_date(one.last)}"


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
    for fact in answer.facts if answer.answerable else ():  # a refusal says it itself
        out.print(f"[dim]you said, {_date(fact.stated)}: {escape(fact.text)}[/dim]", highlight=False)
    for one in answer.recalled:
        said = " ".join(one.answer.split())[:200] or "(no answer)"
        out.print(
            f"[dim]before, {_date(one.asked)}: {escape(one.question)} {escape(said)}[/dim]", highlight=False
        )
    for conflict in answer.conflicts:
        out.print(f"[bold]These sources differ.[/bold] {escape(conflict.text)}", highlight=False)
    cited = [*answer.citations, *(one for conflict in answer.conflicts for one in conflict.citations)]
    sources = {one.label: one.document for one in cited}
    for label, document in sorted(sources.items()):
        out.print(f"  \\[{label}] {escape(document)}", highlight=False)


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
