"""The plan of a sync: a folder compared with the documents of the catalogue. Changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ingest.sync.folder import FolderScan
from rag.store.synced import SyncedDocument
from rag.types import READER_VERSION

MOST_DELETED = 0.2  # of the documents that are synced from the folder, unless forced


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a sync. Only documents that were last seen in this folder are moved or deleted."""

    corpus: str
    folder: str  # its absolute path, or what a client calls its own
    delete_missing: bool = False
    force: bool = False  # delete more than MOST_DELETED, and take over what is synced from another folder


@dataclass(frozen=True, slots=True)
class Plan:
    """The difference between a folder and its corpus, each name once, in order; or what became of it."""

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()  # (from, to)
    deleted: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)  # name -> why
    refusal: str = ""  # why it must not be carried out; "" where it may

    def after(self, failed: Mapping[str, str], deleted: Collection[str]) -> Plan:
        """Return what was done, given what failed in all and what was deleted."""
        return replace(
            self,
            added=tuple(name for name in self.added if name not in failed),
            modified=tuple(name for name in self.modified if name not in failed),
            moved=tuple(move for move in self.moved if move[1] not in failed),
            deleted=tuple(name for name in self.deleted if name in deleted),
            failed=failed,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What a sync did, or would do, and how long that took."""

    corpus: str
    plan: Plan
    seconds: float


def compare(found: FolderScan, known: Mapping[str, SyncedDocument], order: Order) -> Plan:
    """Plan what makes the documents follow the folder. A file that an older version of the readers read counts as
    modified.

    A file whose bytes are those of a document that the folder now lacks was moved: that is no deletion, no
    words are lost by it, so it needs no `delete_missing`, and the old name ends with it.

    Args:
        known: the documents of the corpus by name.
    """
    added, modified, unchanged, failed = [], [], [], dict(found.failed)
    for name, sha256 in sorted(found.hashes.items()):
        document = known.get(name)
        if document is None:
            added.append(name)
        elif document.sha256 == sha256 and (
            document.reader >= READER_VERSION or _is_foreign(document, order)
        ):
            unchanged.append(name)
        elif _is_foreign(document, order):
            failed[name] = (
                f"It is synced from {document.folder}; rename it here or there, or take it over by force."
            )
        else:
            modified.append(name)
    own = [document for document in known.values() if document.folder == order.folder]
    missing = [document for document in own if found.lacks(document.name)]
    moved = _moves([(name, found.hashes[name]) for name in added], missing)
    gone, came = {old for old, _ in moved}, {new for _, new in moved}
    deleted = [d.name for d in missing if d.name not in gone] if order.delete_missing else []
    return Plan(
        added=tuple(name for name in added if name not in came),
        modified=tuple(modified),
        moved=tuple(moved),
        deleted=tuple(deleted),
        unchanged=tuple(unchanged),
        failed=failed,
        refusal=_refusal(found, order, len(deleted), len(own)),
    )


def _is_foreign(document: SyncedDocument, order: Order) -> bool:
    """Return whether another folder's sync looks after a document."""
    return document.folder not in (None, order.folder) and not order.force


def _moves(added: Sequence[tuple[str, str]], missing: Iterable[SyncedDocument]) -> list[tuple[str, str]]:
    """Pair new names with missing documents of the same bytes, read in the same way: by the same suffix."""
    left: dict[tuple[str, str], list[str]] = defaultdict(list)
    for document in missing:
        left[document.sha256, _suffix(document.name)].append(document.name)
    pairs = []
    for name, sha256 in added:
        if olds := left[sha256, _suffix(name)]:
            pairs.append((olds.pop(0), name))
    return pairs


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _refusal(found: FolderScan, order: Order, deleted: int, own: int) -> str:
    if not found.hashes:  # whatever is forced: an empty mount point must not empty a corpus
        return f"{order.folder} holds no file that can be read; is its disk mounted? Nothing was changed."
    if deleted > MOST_DELETED * own and not order.force:
        return (
            f"{order.folder} lacks {deleted:,} of the {own:,} documents of {order.corpus!r} that were synced from it, "
            f"more than {MOST_DELETED:.0%}; nothing was changed. If they are to be deleted, force it."
        )
    return ""
