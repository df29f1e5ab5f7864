"""The service's own schedule: syncs folders, one after the other, for those who have no cron."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime

from api.render import sync_to_line
from api.service import Service
from api.sync import sync_folder
from ingest.sync.plan import Order
from ingest.uploads.jobs import STOP_S
from rag.errors import IbidError, Stopped
from rag.settings.schedule import Schedule

log = logging.getLogger(__name__)
LONGEST_WAIT_S = 30.0  # between two looks at the clock, which may be set, or have slept


class Scheduler:
    """Runs the schedules of a service's settings until it is stopped."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stop = service.stopping
        self._thread = threading.Thread(
            target=self._work, args=(service.settings.schedule,), name="schedule", daemon=True
        )

    def start(self) -> None:
        """Begin; without schedules there is nothing to do."""
        if self._service.settings.schedule:
            self._thread.start()

    def stop(self) -> bool:
        """Stop the current sync, and return whether it ended within STOP_S."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_S)
        return not self._thread.is_alive()

    def _work(self, schedules: Sequence[Schedule]) -> None:
        due = {schedule: schedule.first(datetime.now()) for schedule in schedules}
        while not self._stop.is_set():
            schedule = min(due, key=due.__getitem__)
            wait_s = (due[schedule] - datetime.now()).total_seconds()
            if wait_s > 0:
                self._stop.wait(min(wait_s, LONGEST_WAIT_S))
                continue
            due[schedule] = schedule.next(datetime.now())
            # in a thread of its own: a bug in a run ends that run, is reported, and the schedule lives on
            run = threading.Thread(target=self._run, args=(schedule,), name="sync", daemon=True)
            run.start()
            run.join()

    def _run(self, schedule: Schedule) -> None:
        order = Order(schedule.corpus, str(schedule.folder), schedule.delete_missing)
        try:
            report = sync_folder(self._service, order)
        except Stopped:
            log.info(
                "%s: the sync stopped with the service; the next run goes on from there.", schedule.corpus
            )
            return
        except (IbidError, OSError) as error:
            log.warning("%s: not synced. %s", schedule.corpus, error)
            return
        for name, reason in report.plan.failed.items():
            log.warning("%s: failed: %s: %s", schedule.corpus, ascii(name), reason)
        log.info("%s", sync_to_line(report))
