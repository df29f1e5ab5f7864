"""The command line. Exit codes: 0 done, 1 it could not be done, 2 some of it failed (each part is named),
3 another sync is running."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from api.commands.batch import Answering, printable_json, run_batch
from api.commands.chat import chat, memory_app
from api.commands.evaluate import eval_app
from api.commands.generations import generations_app
from api.commands.jobs import jobs_app
from api.commands.models import models_app
from api.commands.moving import backup, export_, import_, restore
from api.commands.progress import progress
from api.commands.sync import sync
from api.render import answer_to_json, explain_to_json, search_to_json
from api.service import opened
from rag.errors import IbidError, InvalidInput
from rag.memory.conversation import ANYBODY, Session
from rag.recipe import not_in_force
from rag.settings import load_settings
from rag.types import Answer, Citation, check_corpus_name

if TYPE_CHECKING:
    from ingest.source import Outcome, Source

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched unless the user says otherwise
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Ask questions over your own documents; see the exact words each answer rests on.\n\n"
    "The data folder is IBID_HOME (default ./ibid-data). "
    "Exit codes: 0 done, 1 it could not be done, 2 some files or lines failed, 3 another sync is running.",
)
app.add_typer(models_app, name="models")
app.add_typer(eval_app, name="eval")
app.add_typer(memory_app, name="memory")
app.add_typer(jobs_app, name="jobs")
app.add_typer(generations_app, name="generations")
app.command()(sync)
app.command()(chat)
for name, command in (("backup", backup), ("restore", restore), ("export", export_), ("import", import_)):
    app.command(name)(command)
GATES = (["eval", "gate"], ["generations", "swap"])
GATE_COULD_NOT_RUN = 2  # 1 is for what became worse
out, notes = Console(), Console(stderr=True)

Corpus = Annotated[str, typer.Option("--corpus", "-c", help="Name of the document set.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Batch = Annotated[
    Path | None, typer.Option("--batch", help='JSON Lines of {"id", "question"}; one JSON line out for each.')
]
Question = Annotated[str | None, typer.Argument(help="The question, in quotes.")]


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders; a folder is walked.")],
    corpus: Corpus,
    as_json: AsJson = False,
) -> None:
    """Add and update documents. Unchanged files do nothing; nothing is ever deleted.

    A document's name is its path relative to the folder given. Exits 0 when all is in, 2 when some
    files failed (each is named with its reason), 1 when nothing is in.
    """
    from ingest.source import find_sources

    check_corpus_name(corpus)
    sources, outcomes = find_sources(paths)
    if sources:  # otherwise neither the corpus is made nor a model loaded
        outcomes += _ingest(corpus, sources)
    counts = {state: sum(o.state == state for o in outcomes) for state in sorted({o.state for o in outcomes})}
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if as_json:
        files = [
            {"document": o.name, "state": o.state, "version": o.version, "error": o.error} for o in outcomes
        ]
        _print_json({"corpus": corpus, "counts": counts, "files": files})
    else:
        for outcome in outcomes:
            if outcome.error:
                notes.print(
                    escape(_printable(f"{outcome.state}: {outcome.name}: {outcome.error}")), soft_wrap=True
                )
        out.print(
            f"{corpus}: " + (", ".join(f"{n} {state}" for state, n in counts.items()) or "no files found")
        )
    is_in = len(outcomes) - len(failed) - counts.get("skipped", 0)
    if failed or not is_in:
        raise typer.Exit(2 if is_in else 1)


@app.command()
def search(
    corpus: Corpus,
    question: Question = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="Most hits to return.")] = 5,
    batch: Batch = None,
    where: Annotated[
        str | None, typer.Option("--filter", help='Metadata filter as JSON, e.g. {"format": "pdf"}.')
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show every candidate and why it was dropped.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the passages nearest to a question, best first."""
    filter_ = _parse_filter(where)
    with opened() as service:

        def one(asked: str) -> dict[str, Any]:
            found = service.pipeline.search(corpus, asked, k=k, filter_=filter_)
            return search_to_json(found) | ({"explain": explain_to_json(found.trace)} if explain else {})

        if batch:
            service.pipeline.index(corpus)  # an unknown corpus fails the run, not each line
            return _run_batch(batch, one)
        answer = one(_required(question))
    if as_json or explain:
        return _print_json(answer)
    for rank, hit in enumerate(answer["hits"], 1):
        page = f", page {hit['page']}" if hit["page"] else ""
        out.print(
            f"[bold]{rank}. {escape(hit['document'])}[/bold]{page}  {hit['score']:.3f}", highlight=False
        )
        out.print(escape(hit["text"].strip()) + "\n", highlight=False)
    return None


@app.command()
def ask(
    corpus: Corpus,
    question: Question = None,
    batch: Batch = None,
    where: Annotated[
        str | None, typer.Option("--filter", help='Metadata filter as JSON, e.g. {"format": "pdf"}.')
    ] = None,
    session: Annotated[
        str | None,
        typer.Option("--session", help="Understand it from what was said in this session, and remember it."),
    ] = None,
    user: Annotated[str, typer.Option("--user", help="Whose session it is.")] = ANYBODY,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show every candidate and why it was dropped.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the documents, with verified citations, or say that they do not answer it."""
    filter_ = _parse_filter(where)
    of = None if session is None else Session(corpus, session, user)
    with opened() as service:

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
            _run_batch(batch, one)
        elif as_json or explain:
            _print_json(one(_required(question)))
        else:
            _print_answer(answered(_required(question)))


@app.command()
def documents(corpus: Corpus, as_json: AsJson = False) -> None:
    """List the documents of a corpus."""
    with opened() as service:
        listed = service.catalog.documents(corpus)
    if as_json:
        return _print_json([asdict(info) for info in listed])
    for info in listed:
        line = f"{info.name}  version {info.version}, {info.characters:,} characters, {info.chunks} chunks"
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    return None


@app.command()
def corpora(as_json: AsJson = False) -> None:
    """List the corpora of the data folder."""
    with opened() as service:
        listed = service.catalog.corpora()
    if as_json:
        return _print_json([asdict(corpus) for corpus in listed])
    for corpus in listed:
        out.print(f"{corpus.name}  {corpus.documents} documents, {corpus.chunks} chunks", highlight=False)
    return None


@app.command()
def delete(
    corpus: Corpus,
    names: Annotated[
        list[str], typer.Argument(metavar="DOCUMENT...", help="Names as `ibid documents` lists them.")
    ],
    as_json: AsJson = False,
) -> None:
    """Delete documents at once, all of those named or none."""
    from ingest.load import document_name

    deleted = list(dict.fromkeys(map(document_name, names)))
    with opened() as service:
        service.catalog.delete_documents(corpus, deleted)
    if as_json:
        return _print_json({"corpus": corpus, "deleted": deleted})
    out.print(f"{corpus}: {len(deleted)} deleted", highlight=False)
    return None


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind to; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind to; default 8000.")] = None,
) -> None:
    """Serve HTTP until interrupted."""
    from api.http.serve import run_server

    run_server(load_settings(host=host, port=port))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check models, catalogue, indexes and disk; say what to do. Exits 1 if something is wrong."""
    from api.commands.doctor import diagnose

    checks = diagnose(load_settings())
    if as_json:
        _print_json([{"check": c.name, "ok": c.ok, "found": c.found, "remedy": c.remedy} for c in checks])
    else:
        for check in checks:
            remedy = "" if check.ok else f"\n        {check.remedy}"
            out.print(
                f"{'ok    ' if check.ok else 'WRONG '} {check.name}: {check.found}{remedy}",
                markup=False,
                soft_wrap=True,
            )
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; errors that Ibid expects become one line and exit code 1, of the gate 2."""
    failed = GATE_COULD_NOT_RUN if sys.argv[1:3] in GATES else 1
    try:
        code = app(standalone_mode=False)
    except (IbidError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        notes.print(f"ibid: {escape(message)}", soft_wrap=True, highlight=False)
        code = failed
    except (KeyboardInterrupt, typer.Abort, BrokenPipeError):
        code = failed
    except Exception:  # a bug: a gate that crashes has not found anything to be worse
        if failed == 1:
            raise
        notes.print_exception()
        code = failed
    sys.exit(code if isinstance(code, int) else 0)


def _ingest(corpus: str, sources: list[Source]) -> list[Outcome]:
    outcomes = []
    with opened() as service, progress("Ingesting", len(sources)) as advance:
        for outcome in service.builder().ingest(corpus, sources):
            outcomes.append(outcome)
            advance()
        service.pipeline.index(corpus).catch_up()
        service.pipeline.save_indexes()
        if told := not_in_force(corpus, service.catalog.serving(corpus).recipe, service.settings):
            notes.print(told, soft_wrap=True, markup=False, highlight=False)
    return outcomes


def _run_batch(path: Path, answer: Answering) -> None:
    if run_batch(path, answer, lambda line: print(line, flush=True)):
        raise typer.Exit(2)


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


def _printable(text: str) -> str:
    """Escape what UTF-8 cannot hold: a file name may be in any encoding."""
    return text.encode("utf-8", "backslashreplace").decode()


def _print_json(value: Any) -> None:
    print(printable_json(value, indent=2))


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


if __name__ == "__main__":
    main()
