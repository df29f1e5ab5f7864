"""Make a corpus follow a folder: what is new comes in, then what is gone leaves.

Every document changes in a transaction of its own: its old version answers until the new one is in, and a
run that is killed loses nothing; the next one goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from ingest.sync.folder import FolderScan
from ingest.sync.plan import Order, Plan, compare
from rag.errors import NotFound, SyncRefused
from rag.store.catalog import Catalog
from rag.store.synced import SyncedDocument
from rag.types import check_corpus_name

if TYPE_CHECKING:
    from ingest.build import Builder


def _nothing() -> None:
    """Do nothing."""


class Sync:
    """Plans and carries out syncs of one catalogue.

    Args:
        make_builder: called at most once, and only if a file may have to be read again, since it takes seconds.
    """

    def __init__(self, catalog: Catalog, make_builder: Callable[[], Builder]) -> None:
        self._catalog, self._synced = catalog, catalog.synced
        self._builder = cache(make_builder)
        self.remarks: list[str] = []  # what whoever syncs should know

    def plan(self, order: Order, found: FolderScan) -> Plan:
        """Compare a folder's scan with the corpus; change nothing.

        Raises:
            InvalidName: if a corpus cannot have this name.
        """
        check_corpus_name(order.corpus)
        return compare(found, self._synced.documents(order.corpus), order)

    def carry_out(
        self, order: Order, found: FolderScan, plan: Plan, on_file: Callable[[], None] = _nothing
    ) -> Plan:
        """Do what was planned and return what was done. Files without a source are left to whoever sends them.

        Args:
            on_file: called when a file that is read again is done; an exception from it ends the run.

        Raises:
            SyncRefused: if the plan is to be refused; nothing was changed.
            OtherEmbedder: if the corpus's embedding model is unavailable.
            StorageError: if the catalogue cannot be read or written now; what was done is in.
        """
        if plan.refusal:
            raise SyncRefused(plan.refusal)
        failed = {
            **plan.failed,
            **self._move(order.corpus, plan),
            **self._ingest(order, found, plan, on_file),
        }
        known = self._synced.documents(order.corpus)  # as it is by now: others may have changed it
        done = plan.after(failed, self._delete(order, plan))
        self._mark(order, found, done, known)
        return done

    def _may_take_over(self, document: SyncedDocument, folder: str, found: FolderScan) -> bool:
        """Return whether a document with a file's bytes may become the folder's: not another folder's, nor an upload.

        A client's folder has no sources here: its files come in by uploads.
        """
        if document.folder is None:
            return not (found.sources and self._catalog.originals.path(document.sha256).is_file())
        return document.folder == folder

    def _move(self, corpus: str, plan: Plan) -> dict[str, str]:
        failed = {}
        for old, new in plan.moved:
            try:
                self._catalog.documents.rename(corpus, old, new)
            except NotFound as error:
                failed[new] = str(error)
        return failed

    def _delete(self, order: Order, plan: Plan) -> list[str]:
        """Delete what the folder lacks, each name if it is still the folder's; return the names."""
        deleted, originals = list[str](), list[str]()
        for name in plan.deleted:
            own = partial(self._synced.is_of, order.corpus, name, order.folder)
            gone = self._catalog.documents.delete_if(order.corpus, name, own)
            if gone is not None:
                deleted.append(name)
                originals += gone
        self._catalog.originals.drop_unused(originals)
        return deleted

    def _ingest(
        self, order: Order, found: FolderScan, plan: Plan, on_file: Callable[[], None]
    ) -> dict[str, str]:
        sources = [found.sources[name] for name in (*plan.added, *plan.modified) if name in found.sources]
        failed: dict[str, str] = {}
        self.remarks = []
        if not sources:
            return failed
        for outcome in self._builder().ingest(order.corpus, sources):
            if outcome.state == "failed":
                failed[outcome.name] = str(outcome.error)
            on_file()
        self.remarks = self._builder().remarks
        return failed

    def _mark(self, order: Order, found: FolderScan, done: Plan, known: Mapping[str, SyncedDocument]) -> None:
        """Record where documents were seen, as far as that is not recorded yet."""
        up_to_date = [*done.unchanged, *(new for _, new in done.moved)]
        up_to_date += [name for name in (*done.added, *done.modified) if name in found.sources]
        read_again = {*done.added, *done.modified}
        seen = {
            name: found.hashes[name]
            for name in up_to_date
            if name in known
            and known[name].folder != order.folder
            and (name in read_again or order.force or self._may_take_over(known[name], order.folder, found))
        }
        if seen:
            self._synced.mark(order.corpus, seen, folder=order.folder)
