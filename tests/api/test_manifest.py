"""Sync over HTTP: a client compares its folder, uploads the difference, and leaves the rest to the server."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.sync.lock import sync_lock
from rag.settings import Settings
from tests.served import Site, find, is_problem, served, upload

FILES = {f"towns/{n}.txt": f"Town number {n} has {n + 20} cranes in its harbour." for n in range(6)}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("home"))) as site:
        yield site


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    yield running
    for corpus in running.service.catalog.corpora.infos():
        running.service.catalog.delete_corpus(corpus.name)


def manifest(files: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"path": path, "sha256": hashlib.sha256(text.encode()).hexdigest()} for path, text in files.items()
    ]


def sync(site: Site, files: Mapping[str, str], **options: Any) -> dict[str, Any]:
    response = site.client.post("/v1/corpora/sea/sync", json={"files": manifest(files), **options})
    assert response.status_code == httpx.codes.OK, response.text
    told: dict[str, Any] = response.json()
    return told


def follow(site: Site, files: Mapping[str, str]) -> dict[str, Any]:
    """Follow the documented steps."""
    planned = sync(site, files, dry_run=True)
    if wanted := [*planned["added"], *planned["modified"]]:
        assert upload(site.client, "sea", {name: files[name] for name in wanted})["state"] == "completed"
    return sync(site, files, delete_missing=True)


def held(site: Site) -> dict[str, int]:
    documents = site.client.get("/v1/corpora/sea/documents").json()["documents"]
    return {document["name"]: document["version"] for document in documents}


def test_a_corpus_follows_a_client_s_folder(site: Site) -> None:
    assert sync(site, FILES, dry_run=True)["added"] == sorted(FILES)
    assert follow(site, FILES)["unchanged"] == 6
    changed = {**FILES, "towns/1.txt": "Town number 1 has no crane any more.", "new.txt": "The tide turns."}
    changed["moved.txt"] = changed.pop("towns/2.txt")
    del changed["towns/3.txt"]

    planned = sync(site, changed, delete_missing=True, dry_run=True)
    told = follow(site, changed)

    assert (planned["added"], planned["modified"]) == (["new.txt"], ["towns/1.txt"])
    assert planned["moved"] == told["moved"] == [["towns/2.txt", "moved.txt"]]
    assert planned["deleted"] == told["deleted"] == ["towns/3.txt"]
    assert (told["added"], told["modified"], told["failed"], told["unchanged"]) == ([], [], {}, 5)
    names = {"towns/0.txt": 1, "towns/1.txt": 2, "towns/4.txt": 1, "towns/5.txt": 1}
    assert held(site) == {**names, "new.txt": 1, "moved.txt": 1}
    assert find(site.client, "sea", "cranes of town number 2")[0]["document"] == "moved.txt"
    assert sync(site, changed, delete_missing=True)["deleted"] == []


def test_a_dry_run_changes_nothing(site: Site) -> None:
    follow(site, FILES)
    before = held(site)
    fewer = {name: text for name, text in FILES.items() if name != "towns/0.txt"}
    fewer["elsewhere.txt"] = fewer.pop("towns/1.txt")
    planned = sync(site, fewer, delete_missing=True, dry_run=True)
    assert (planned["deleted"], planned["moved"]) == (["towns/0.txt"], [["towns/1.txt", "elsewhere.txt"]])
    assert held(site) == before


def test_what_no_sync_of_the_folder_saw_stays(site: Site) -> None:
    upload(
        site.client, "sea", {"uploaded.txt": "The pilot is on leave until May."}, metadata='{"year": 2026}'
    )
    follow(site, FILES)
    fewer = {name: text for name, text in FILES.items() if name != "towns/0.txt"}
    assert sync(site, fewer, folder="another", delete_missing=True)["deleted"] == []
    follow(site, FILES)
    assert follow(site, fewer)["deleted"] == ["towns/0.txt"]
    assert "uploaded.txt" in held(site)


def test_metadata_of_an_upload_is_no_difference(site: Site) -> None:
    upload(site.client, "sea", FILES, metadata='{"region": "EU"}')
    assert sync(site, FILES)["unchanged"] == 6


def test_too_much_and_everything_are_refused(site: Site) -> None:
    follow(site, FILES)
    two = dict(list(FILES.items())[:4])
    planned = sync(site, two, delete_missing=True, dry_run=True)
    assert "lacks 2 of the 6 documents" in planned["refused"]
    body = {"files": manifest(two), "delete_missing": True}
    problem = is_problem(site.client.post("/v1/corpora/sea/sync", json=body), 422)
    assert (problem["title"], problem["detail"]) == ("Sync refused", planned["refused"])
    nothing = {"files": [], "delete_missing": True, "force": True}
    assert (
        "holds no file" in is_problem(site.client.post("/v1/corpora/sea/sync", json=nothing), 422)["detail"]
    )
    assert len(held(site)) == 6
    assert len(sync(site, two, delete_missing=True, force=True)["deleted"]) == 2


def test_names_that_cannot_be_fail_alone(site: Site) -> None:
    files = [*manifest({"../evil.txt": "x", "good.txt": "y"}), *manifest({"twice.txt": "a"}) * 2]
    told = site.client.post("/v1/corpora/sea/sync", json={"files": files, "dry_run": True}).json()
    assert told["added"] == ["good.txt"]
    assert told["failed"].keys() == {"../evil.txt", "twice.txt"}


def test_another_sync_of_the_corpus_is_a_conflict(site: Site) -> None:
    follow(site, FILES)
    with sync_lock(site.service.settings.service.home, "sea"):
        response = site.client.post("/v1/corpora/sea/sync", json={"files": manifest(FILES)})
        assert "Another sync of 'sea' is running" in is_problem(response, 409)["detail"]
        assert sync(site, FILES, dry_run=True)["unchanged"] == 6
    assert sync(site, FILES)["unchanged"] == 6


def test_a_manifest_of_many_files_is_taken(site: Site) -> None:
    many = {f"{n:05}/{'long name ' * 10}.txt": str(n) for n in range(10_000)}
    assert len(sync(site, many, dry_run=True)["added"]) == 10_000  # 2 MB


@pytest.mark.parametrize(
    "body",
    [
        {"files": [{"path": "a.txt", "sha256": "XYZ"}]},
        {"files": [{"path": "a.txt"}]},
        {"files": [{"path": "\ud800.txt", "sha256": "0" * 64}]},
        {"files": manifest(FILES), "delete": True},
        {},
    ],
)
def test_what_is_no_manifest_is_refused(site: Site, body: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    is_problem(site.client.post("/v1/corpora/sea/sync", content=json.dumps(body), headers=headers), 422)


def test_no_corpus_is_made_and_no_bad_name_taken(site: Site, tmp_path: Path) -> None:
    assert sync(site, FILES)["added"] == sorted(FILES)
    assert site.service.catalog.corpora.infos() == []
    body = {"files": manifest(FILES)}
    assert (
        "is not a corpus name"
        in is_problem(site.client.post("/v1/corpora/..x/sync", json=body), 422)["detail"]
    )
