"""The service's own schedule: read from ibid.toml, due on time, and alive whatever a run does."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from ingest.sync.lock import sync_lock
from rag.errors import InvalidSettings, SyncRunning
from rag.settings import Settings, load_settings
from rag.settings.schedule import Schedule
from tests.served import find, served
from tests.waiting import wait_until

NOON = datetime(2026, 11, 26, 12, 0)


def from_file(text: str, folder: Path) -> tuple[Schedule, ...]:
    (folder / "ibid.toml").write_text(text)
    return load_settings({"IBID_CONFIG": str(folder / "ibid.toml")}).schedule


def test_schedules_are_read(tmp_path: Path) -> None:
    text = """
    [service]
    port = 9000
    [schedule.handbook]
    folder = "/srv/handbook"
    every = "6h"
    delete_missing = true
    [schedule.law]
    folder = "/srv/law"
    at = "02:30"
    """
    assert from_file(text, tmp_path) == (
        Schedule("handbook", Path("/srv/handbook"), every=timedelta(hours=6), delete_missing=True),
        Schedule("law", Path("/srv/law"), at=time(2, 30)),
    )
    assert from_file("[service]\nport = 1", tmp_path) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schedule = 3", "schedule in ibid.toml is 3; expected tables such as [schedule.handbook]."),
        ("schedule.x = 3", "schedule.x in ibid.toml is 3; expected a table such as"),
        ('schedule."a b" = {}', "schedule.a b in ibid.toml: 'a b' is not a corpus name"),
        ('[schedule.x]\nfolder = "/a"', "schedule.x in ibid.toml is ['folder']; expected one of the two"),
        ('[schedule.x]\nfolder = "/a"\nat = "01:00"\nevery = "1h"', "expected one of the two: every or at."),
        (
            '[schedule.x]\nfolder = "a"\nat = "01:00"',
            "schedule.x.folder in ibid.toml is 'a'; expected an abs",
        ),
        ('[schedule.x]\nat = "01:00"', "schedule.x.folder in ibid.toml is None; expected an absolute path."),
        (
            '[schedule.x]\nfolder = "/a"\nat = "24:00"',
            "schedule.x.at in ibid.toml is '24:00'; expected a time",
        ),
        ('[schedule.x]\nfolder = "/a"\nat = 02:30:01', "expected a time of day such as 02:30."),
        (
            '[schedule.x]\nfolder = "/a"\nevery = "0h"',
            "schedule.x.every in ibid.toml is '0h'; expected a whole",
        ),
        ('[schedule.x]\nfolder = "/a"\nevery = 6', "schedule.x.every in ibid.toml is 6; expected a whole"),
        ('[schedule.x]\nfolder = "/a"\nevery = "6s"', "expected a whole number of minutes, hours or days"),
        ('[schedule.x]\nfolder = "/a"\nevery = "6h"\ncron = 1', "is ['cron']; expected the keys folder"),
        ('[schedule.x]\nfolder = "/a"\nevery = "6h"\ndelete_missing = 1', "is 1; expected true or false."),
    ],
)
def test_bad_schedules_name_key_value_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        from_file(text, tmp_path)
    assert message in str(caught.value)


def test_it_is_of_the_file_alone() -> None:
    with pytest.raises(InvalidSettings, match="IBID_SCHEDULE is not a setting"):
        load_settings({"IBID_SCHEDULE": "x"})


def test_a_rhythm_begins_with_the_service_and_a_time_of_day_waits_for_it() -> None:
    rhythm = Schedule("x", Path("/x"), every=timedelta(hours=6))
    assert rhythm.first(NOON) == NOON
    assert rhythm.next(NOON) == datetime(2026, 11, 26, 18, 0)
    for at, due in ((time(12, 1), NOON + timedelta(minutes=1)), (time(2, 30), datetime(2026, 11, 27, 2, 30))):
        daily = Schedule("x", Path("/x"), at=at)
        assert daily.first(NOON) == daily.next(NOON) == due
    assert Schedule("x", Path("/x"), at=time(12, 0)).next(NOON) == NOON + timedelta(days=1)


def said(caplog: pytest.LogCaptureFixture, start: str) -> list[str]:
    lines = [record.getMessage() for record in caplog.records if record.name == "api.http.schedule"]
    return [line for line in lines if line.startswith(start)]


@contextmanager
def holding_lock(home: Path, corpus: str) -> Iterator[None]:
    """Hold the sync lock of a corpus, acquired as soon as no scheduled run holds it."""
    with ExitStack() as held:

        def is_taken() -> bool:
            try:
                held.enter_context(sync_lock(home, corpus))
            except SyncRunning:
                return False
            return True

        wait_until(is_taken)
        yield


def test_the_service_syncs_again_and_again_and_outlives_failures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="api.http.schedule")
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "lamp.md").write_text("The lamp of the lighthouse burns whale oil.")
    (folder / "empty.md").write_text("")
    soon = timedelta(seconds=0.2)
    schedule = (
        Schedule("gone", tmp_path / "missing", every=soon),
        Schedule("sea", folder, every=soon, delete_missing=True),
        Schedule("later", folder, at=(datetime.now() - timedelta(minutes=1)).time()),
    )
    with served(Settings(home=tmp_path / "home", schedule=schedule)) as site:
        wait_until(
            lambda: said(caplog, "sea: 1 added, 0 modified, 0 moved, 0 deleted, 0 unchanged, 1 failed")
        )
        assert find(site.client, "sea", "What does the lamp burn?")[0]["document"] == "lamp.md"
        (folder / "lamp.md").rename(folder / "light.md")
        wait_until(lambda: said(caplog, "sea: 0 added, 0 modified, 1 moved"))
        assert find(site.client, "sea", "What does the lamp burn?")[0]["document"] == "light.md"
        wait_until(
            lambda: said(caplog, "sea: 0 added, 0 modified, 0 moved, 0 deleted, 1 unchanged, 1 failed")
        )
        with holding_lock(tmp_path / "home", "sea"):
            wait_until(lambda: said(caplog, "sea: not synced. Another sync of 'sea' is running"))
    assert len(said(caplog, f"gone: not synced. {tmp_path / 'missing'} is not a folder")) > 1
    assert said(caplog, "sea: failed: 'empty.md': load: empty.md is empty")
    assert not said(caplog, "later")


def test_stopping_the_service_stops_a_long_sync_after_the_file_at_hand(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="api.http.schedule")
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(2000):
        (folder / f"{number:04}.txt").write_text(f"Buoy {number} has the light {number * 7}.")
    schedule = (Schedule("sea", folder, every=timedelta(hours=1)),)
    with served(Settings(home=tmp_path / "home", schedule=schedule)) as site:
        count = "SELECT count(*) FROM documents"
        wait_until(lambda: site.service.catalog.database.read().execute(count).fetchone()[0] > 0)
    wait_until(lambda: said(caplog, "sea: the sync stopped with the service"))
    assert len(list((tmp_path / "home" / "originals").iterdir())) < 2000
