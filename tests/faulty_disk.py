"""Acts on a data folder while its disk fails: `python -m tests.faulty_disk ACT FOLDER FAULT...`.

Prints a line of JSON for each failing call: the fault, the call, the message, and the state that an unaffected process
finds afterwards. The last line is the run without a failure.
"""

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from rag.store.backup import restore_backup, write_backup
from rag.store.catalog import Catalog
from rag.store.schema import UPGRADES
from tests.failing_calls import ERRORS, attempt
from tests.made_versions import CORPUS, NEXT, all_chunks, fill, follower

OLD, NEW = "old words\nof two lines", "new words\n" + "\n".join(f"line {n} of many" for n in range(40))
DIMENSION = 384


@dataclass(frozen=True)
class Act:
    """How a folder is made, the act on it, and how its state is read afterwards."""

    prepare: Callable[[Path], None]
    act: Callable[[Path], str]
    found: Callable[[Path], Any]


def put(home: Path, name: str, text: str) -> None:
    with closing(Catalog(home)) as catalog:
        fill(catalog, name, text, sha256=catalog.originals.keep(text.encode()))


def ingest(home: Path) -> str:
    """Change one document, delete another, and write the snapshot of their index."""
    done = "opening"
    with closing(Catalog(home)) as catalog:
        fill(catalog, "a.txt", NEW, sha256=catalog.originals.keep(NEW.encode()))
        done = "changed"
        catalog.documents.delete(CORPUS, ["b.txt"])
        done = "deleted"
        index = follower(catalog, dimension=DIMENSION)
        index.catch_up()
        index.save(always=True)
    return done


def documents(home: Path, upgrades: Sequence[str] = UPGRADES) -> dict[str, str]:
    """Return the text of each document by name; its chunks, original and index must belong to that text."""
    with closing(Catalog(home, upgrades)) as catalog:
        assert catalog.database.read().execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        held = {
            info.name: catalog.documents.get(CORPUS, info.name).text
            for info in catalog.documents.infos(CORPUS)
        }
        chunks = list(all_chunks(catalog).values())  # which checks each chunk's id
        for info in catalog.documents.infos(CORPUS):
            own = sorted((chunk.start, chunk.text) for chunk in chunks if chunk.document == info.name)
            assert [text for _, text in own] == held[info.name].split("\n")
            assert catalog.originals.path(info.sha256).read_text() == held[info.name]
        assert len(follower(catalog, dimension=DIMENSION)) == len(chunks)
        return held


def two_documents(home: Path) -> None:
    put(home, "a.txt", OLD)
    put(home, "b.txt", "more words")


def back_up(home: Path) -> str:
    with closing(Catalog(home)) as catalog:
        write_backup(catalog, home.parent / "new.tar")
    return "written"


def in_archive(home: Path) -> Any:
    """Return the result of restoring the archive, or None if there is no archive."""
    assert documents(home) == {"a.txt": OLD, "b.txt": "more words"}
    archive, fresh = home.parent / "new.tar", home.parent / "fresh"
    if not archive.exists():
        return None
    shutil.rmtree(fresh, ignore_errors=True)
    restore_backup(archive, fresh)
    return documents(fresh)


def to_be_restored(home: Path) -> None:
    """Leave a folder as a kill does: the newest changes are only in the log."""
    put(home.parent / "other", "c.txt", NEW)
    with closing(Catalog(home.parent / "other")) as other:
        write_backup(other, home.parent / "ibid.tar")
    put(home, "a.txt", OLD)
    with closing(Catalog(home)) as catalog:
        fill(catalog, "b.txt", "more words", sha256=catalog.originals.keep(b"more words"))
        shutil.copytree(home, home.parent / "killed")
    shutil.rmtree(home)
    (home.parent / "killed").replace(home)
    assert (home / "catalog.sqlite3-wal").stat().st_size


def restore(home: Path) -> str:
    restore_backup(home.parent / "ibid.tar", home, force=True)
    return "restored"


def upgrade(home: Path) -> str:
    Catalog(home, NEXT).close()
    return "upgraded"


def schema_and_copy(home: Path) -> Any:
    """Return the schema as the failing process left it, and that of the copy, after checking the documents."""
    copy = home / "catalog.schema-1.sqlite3"
    schemas = [_schema(home / "catalog.sqlite3"), _schema(copy) if copy.exists() else None]
    assert documents(home, NEXT) == {"a.txt": OLD, "b.txt": "more words"}
    return schemas


def _schema(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


ACTS: Mapping[str, Act] = {
    "ingest": Act(two_documents, ingest, documents),
    "back-up": Act(two_documents, back_up, in_archive),
    "restore": Act(to_be_restored, restore, documents),
    "upgrade": Act(two_documents, upgrade, schema_and_copy),
}


def main() -> None:
    name, folder, *faults = sys.argv[1:]
    one, home, made = ACTS[name], Path(folder) / "home", Path(folder) / "made"
    one.prepare(made)
    for fault in faults:
        for k in count(1):
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(made, home)
            home.parent.joinpath("new.tar").unlink(missing_ok=True)
            ended = attempt(lambda: one.act(home), k, ERRORS[fault])
            call = ended.calls[k - 1] if ended.struck else None
            line = {"fault": fault, "k": k, "call": call, "said": ended.said, "found": one.found(home)}
            print(json.dumps(line), flush=True)
            if not ended.struck:
                break


if __name__ == "__main__":
    main()
