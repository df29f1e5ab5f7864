"""A short crash test: a real server is killed again and again, and planted faults are found."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval.benchmarks.operations.crash import live, measure
from eval.benchmarks.operations.promises import ABSENT, CORPUS, Client, Promise, name_of, text_of
from rag.settings import Settings
from tests.served import Site, served, upload

KILLS = 3


def test_a_server_that_is_killed_keeps_its_word(tmp_path: Path) -> None:
    life = live(tmp_path, seed=11, kills=KILLS)
    assert life.kills.total() == KILLS
    assert life.kills["while it works"] > 0
    assert life.operations > 0
    assert life.findings == Counter(), life.examples


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("crash"))) as site:
        yield site


@pytest.fixture
def client(site: Site) -> tuple[Client, Promise]:
    """A client with one document stored and one deleted, and the promise of the first."""
    site.client.delete(f"/v1/corpora/{CORPUS}")  # another test's
    client = Client(0, seed=3)
    for _ in range(200):
        client.act(site.client)
        stored = [promise for promise in client.promises if ABSENT not in promise.now | promise.at_rest]
        deleted = [promise for promise in client.promises if promise.at_rest == {ABSENT} and promise.gone]
        if stored and deleted:
            break
    while any(not job["finished"] for job in site.client.get("/v1/jobs").json()["jobs"]):
        pass
    client.verify(site.client, everything=True)
    assert client.findings == Counter(), client.examples
    return client, stored[0]


def test_a_loss_is_found(site: Site, client: tuple[Client, Promise]) -> None:
    one, promise = client
    site.service.catalog.documents.delete(CORPUS, [promise.name])
    one.verify(site.client)
    assert one.findings == {"lost": 1}


def test_what_returns_from_the_dead_is_found(site: Site, client: tuple[Client, Promise]) -> None:
    one, _ = client
    deleted = next(promise for promise in one.promises if promise.at_rest == {ABSENT} and promise.gone)
    upload(site.client, CORPUS, {deleted.name: text_of(deleted.gone[-1])})
    one.verify(site.client)
    assert one.findings["returned from the dead"] >= 1
    assert one.findings["lost"] == 0


def test_the_words_of_another_document_are_found(site: Site, client: tuple[Client, Promise]) -> None:
    one, promise = client
    other = next(known for known in one.promises if known is not promise)
    upload(site.client, CORPUS, {promise.name: text_of(f"w{other.name[:-4].replace('/', 'd')}v1")})
    one.verify(site.client)
    assert one.findings["wrong"] >= 1


def test_a_text_follows_from_its_marker() -> None:
    assert text_of("w1d2v3") == text_of("w1d2v3") != text_of("w1d2v4")
    assert all("w1d2v3" in sentence for sentence in text_of("w1d2v3").removesuffix(".").split(". "))
    assert name_of("w1d2v3") == "1/2.txt"


def test_a_tally_goes_on_where_it_ended(tmp_path: Path) -> None:
    tally = tmp_path / "crash.jsonl"
    tally.write_text(
        '{"seed": 1, "kills": {"while it works": 6, "while it starts": 4}, "operations": 50, '
        '"findings": {"lost": 1}, "examples": ["lost: a"], "seconds": 60.0}\n'
    )
    figures = measure(kills=10, tally=tally)
    assert (figures["kills"], figures["operations"], figures["lost"], figures["minutes"]) == (10, 50, 1, 1.0)
    assert (figures["wrong"], figures["examples"]) == (0, ["lost: a"])
