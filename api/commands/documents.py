"""The commands about corpora and their documents: list them, and delete documents."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from api.commands.terminal import CorpusOption, JsonOption, print_json, say
from api.render import document_to_json
from api.service import opened
from ingest.names import document_name
from ingest.omissions import omissions_text


def documents(corpus: CorpusOption, as_json: JsonOption = False) -> None:
    """List the documents of a corpus."""
    with opened() as service:
        listed = service.catalog.documents.infos(corpus)
    if as_json:
        return print_json([document_to_json(info) for info in listed])
    for info in listed:
        read_in_part = f"; {omissions_text(info.omissions)}" if info.omissions else ""
        say(
            f"{info.name}  version {info.version}, {info.characters:,} characters, {info.chunks} chunks{read_in_part}"
        )
    return None


def corpora(as_json: JsonOption = False) -> None:
    """List the corpora of the data folder."""
    with opened() as service:
        listed = service.catalog.corpora.infos()
    if as_json:
        return print_json([asdict(info) for info in listed])
    for info in listed:
        say(f"{info.name}  {info.documents} documents, {info.chunks} chunks")
    return None


def delete(
    corpus: CorpusOption,
    names: Annotated[
        list[str], typer.Argument(metavar="DOCUMENT...", help="Names as `ibid documents` lists them.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Delete documents at once, all of those named or none."""
    deleted = list(dict.fromkeys(map(document_name, names)))
    with opened() as service:
        service.catalog.documents.delete(corpus, deleted)
    if as_json:
        return print_json({"corpus": corpus, "deleted": deleted})
    return say(f"{corpus}: {len(deleted)} deleted")
