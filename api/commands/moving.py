"""The commands that keep and move what a data folder holds: backups, and corpora as lines of JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from api.commands.terminal import SOME_FAILED, CorpusOption, JsonOption, note, print_json, say
from api.service import opened
from ingest.load import DEFAULT_LIMITS
from ingest.portable import export_documents, read_documents
from rag.errors import InvalidInput, StorageError
from rag.settings import load_settings
from rag.store.backup import Backup, restore_backup, write_backup
from rag.store.durable import put_in_place
from rag.types import check_corpus_name


def backup(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to write, such as ibid.tar.")],
    as_json: JsonOption = False,
) -> None:
    """Write catalogue and originals to one archive, while the server runs, and check what was written.

    Exits 2 if an original is damaged: it is named and left out.
    """
    with opened() as service:
        written = write_backup(service.catalog, archive)
    _report("backed up", archive, written, as_json=as_json)
    for sha256 in written.damaged:
        note(
            f"damaged: originals/{sha256} is not what was uploaded, and was left out; upload that file again"
        )
    if written.damaged:
        raise typer.Exit(SOME_FAILED)


def restore(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="An archive that `ibid backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the catalogue that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a backup into the data folder, after every checksum was checked; the server must not run."""
    restored = restore_backup(archive, load_settings().service.home, force=force)
    _report("restored", archive, restored, as_json=as_json)


def export_(
    corpus: CorpusOption,
    file: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; without it to the terminal.")
    ] = None,
) -> None:
    """Write the documents of a corpus as JSON Lines: name, version, sha256, metadata, pages and text."""
    with opened() as service, _written(file) as target:
        for line in export_documents(service.catalog, corpus):
            target.write(line + "\n")


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="JSON Lines as `ibid export` writes them; - for the standard input."
        ),
    ],
    corpus: CorpusOption,
    as_json: JsonOption = False,
) -> None:
    """Add and update the documents of an export. Unchanged ones do nothing; nothing is ever deleted.

    Exits 0 when all is in, 2 when some lines failed (each is named with its number), 1 when nothing is in.
    """
    check_corpus_name(corpus)
    failed: list[dict[str, Any]] = []
    counts: dict[str, int] = {}

    def fail(line: int | None, error: str) -> None:
        failed.append({"line": line, "error": error})
        note(f"failed: {error}" if line is None else f"failed: line {line}: {error}")

    with _lines(file) as lines, opened() as service:
        documents = read_documents(lines, DEFAULT_LIMITS.max_characters, fail)
        builder = service.builder()
        for outcome in builder.take(corpus, documents):
            if outcome.state == "failed":
                fail(None, f"{outcome.name}: {outcome.error}")
            else:
                counts[outcome.state] = counts.get(outcome.state, 0) + 1
        for remark in builder.remarks:
            note(remark)
        service.pipeline.index(corpus).catch_up()
        service.pipeline.save_indexes()
    if as_json:
        print_json({"corpus": corpus, "counts": counts, "failed": failed})
    else:
        shown = ", ".join(f"{n} {state}" for state, n in sorted(counts.items())) or "nothing is in"
        say(f"{corpus}: {shown}")
    if failed or not counts:
        raise typer.Exit(SOME_FAILED if counts else 1)


@contextmanager
def _written(file: Path | None) -> Iterator[IO[str]]:
    """Yield what to write to: a file that appears whole or not at all, or the standard output."""
    if file is None:
        yield sys.stdout
        return
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as target:
            yield target
        put_in_place(temporary, file)
    except OSError as error:
        raise StorageError(f"{file} could not be written ({error}); free that disk.") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _lines(file: Path) -> Iterator[IO[bytes]]:
    """Yield a file line by line; "-" is the standard input."""
    try:
        with sys.stdin.buffer if file == Path("-") else file.open("rb") as lines:
            yield lines
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read ({error}); expected JSON Lines in UTF-8.") from error


def _report(done: str, archive: Path, what: Backup, *, as_json: bool) -> None:
    if as_json:
        fields = {"file": str(archive), "schema": what.schema, "created": what.created}
        counts = {"originals": what.originals, "bytes": what.bytes, "damaged": list(what.damaged)}
        return print_json(fields | counts)
    return say(f"{done}: {archive} ({what.originals} originals, {what.bytes / 1e6:,.1f} MB)")
