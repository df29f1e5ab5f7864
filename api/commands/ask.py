"""The commands that search and ask, one question or a file of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from api.commands.lines import Answering, answer_lines
from api.commands.terminal import SOME_FAILED, CorpusOption, JsonOption, UserOption, notes, out, print_json
from api.render import answer_to_json, explain_to_json, search_to_json
from api.service import opened
from rag.errors import InvalidInput
from rag.store.sessions import ANYBODY, Session
from rag.types import Answer, Citation

QuestionArgument = Annotated[str | None, typer.Argument(help="The question, in quotes.")]
BatchOption = Annotated[
    Path | None, typer.Option("--batch", help='JSON Lines of {"id", "question"}; one JSON line out for each.')
]
FilterOption = Annotated[
    str | None, typer.Option("--filter", help='Metadata filter as JSON, e.g. {"format": "pdf"}.')
]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Show every candidate and why it was dropped.")
]


def search(
    corpus: CorpusOption,
    question: QuestionArgument = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="Most hits to return.")] = 5,
    batch: BatchOption = None,
    where: FilterOption = None,
    explain: ExplainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the evidence nearest to a question, best first."""
    filter_ = _parse_filter(where)
    with opened() as service:

        def one(asked: str) -> dict[str, Any]:
            found = service.pipeline.search(corpus, asked, k=k, filter_=filter_)
            return search_to_json(found) | ({"explain": explain_to_json(found.trace)} if explain else {})

        if batch:
            service.pipeline.index(corpus)  # an unknown corpus fails the run, not each line
            return _answer_file(batch, one)
        answer = one(_required(question))
    return print_json(answer) if as_json or explain else _print_hits(answer["hits"])


def ask(
    corpus: CorpusOption,
    question: QuestionArgument = None,
    batch: BatchOption = None,
    where: FilterOption = None,
    session: Annotated[
        str | None,
        typer.Option("--session", help="Understand it from what was said in this session, and remember it."),
    ] = None,
    user: UserOption = ANYBODY,
    explain: ExplainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from the documents, with verified citations, or say that they do not answer it."""
    filter_ = _parse_filter(where)
    of = None if session is None else Session(corpus, session, user)
    with opened() as service:
        service.load_ahead(corpus)

        def answered(asked: str) -> Answer:
            if of is None:
                return service.pipeline.ask(corpus, asked, filter_=filter_)
            answer = service.conversations.ask(service.pipeline, of, asked, filter_=filter_)
            service.conversations.tidy(of, service.pipeline)
            return answer

        def one(asked: str) -> dict[str, Any]:
            answer = answered(asked)
            return answer_to_json(answer) | ({"explain": explain_to_json(answer.trace)} if explain else {})

        if batch:
            service.pipeline.index(corpus)
            _answer_file(batch, one)
        elif as_json or explain:
            print_json(one(_required(question)))
        else:
            _print_answer(answered(_required(question)))


def _answer_file(path: Path, answer: Answering) -> None:
    if answer_lines(path, answer):
        raise typer.Exit(SOME_FAILED)


def _parse_filter(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"--filter is not JSON ({error}).") from error
    if not isinstance(parsed, dict):
        raise InvalidInput('--filter is not an object; expected such as {"format": "pdf"}.')
    return parsed


def _required(question: str | None) -> str:
    if question is None:
        raise InvalidInput("Give a question, or --batch FILE.jsonl.")
    return question


def _print_hits(hits: Sequence[dict[str, Any]]) -> None:
    for rank, hit in enumerate(hits, 1):
        page = f", page {hit['page']}" if hit["page"] else ""
        out.print(
            f"[bold]{rank}. {escape(hit['document'])}[/bold]{page}  {hit['score']:.3f}", highlight=False
        )
        out.print(escape(hit["text"].strip()) + "\n", highlight=False)


def _print_answer(answer: Answer) -> None:
    for remark in answer.trace.remarks:
        notes.print(f"[dim]{escape(remark)}[/dim]", highlight=False, soft_wrap=True)
    if not answer.answerable:
        out.print(f"No answer. {escape(answer.reason)} (confidence {answer.confidence:.2f})", highlight=False)
        for hit in answer.nearest:
            page = f", page {hit.page}" if hit.page else ""
            out.print(f"\n  nearest: [bold]{escape(hit.chunk.document)}[/bold]{page}", highlight=False)
            out.print("  " + escape(" ".join(hit.text.split())[:300]), highlight=False)
        return
    out.print(escape(answer.text), highlight=False)
    out.print(f"\nconfidence {answer.confidence:.2f}", highlight=False)
    _print_citations(answer.citations)
    for conflict in answer.conflicts:
        out.print(
            f"\n[bold]These sources differ.[/bold] {escape(conflict.text)}", highlight=False, soft_wrap=True
        )
        _print_citations(conflict.citations)


def _print_citations(citations: Sequence[Citation]) -> None:
    for citation in citations:
        page = f", page {citation.page}" if citation.page else ""
        place = f"version {citation.version}{page}, characters {citation.start}-{citation.end}"
        out.print(
            f"  \\[{citation.label}] [bold]{escape(citation.document)}[/bold], {place}", highlight=False
        )
        out.print(f'      "{escape(citation.quote)}"', highlight=False)
