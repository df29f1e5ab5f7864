"""Search and ask, plain, explained and streamed, through a real server with the real models."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from api.http.stream import ClientGone, Emit, stream_events
from api.render import explain_to_json
from rag.answer.generator import OnPart, ignored
from rag.errors import ModelError
from rag.settings import Settings
from rag.stages import load_generator
from rag.types import Chunk, Context, Draft, Hit, Trace
from tests.served import TRAVEL, Site, find, generating, served, upload_handbook
from tests.talking import Talker, talking
from tests.waiting import HANG_S

HOTEL = "What is the hotel limit per night in London?"
HIT = {"document", "start", "end", "page", "text", "score"}
CITATION = {
    "document",
    "version",
    "page",
    "start",
    "end",
    "quote",
    "verified",
    "label",
    "answer_start",
    "answer_end",
    "boxes",
}
ANSWER = {
    *("answer", "answerable", "question", "strategy", "confidence", "reason", "notes", "recalled", "facts"),
    *("citations", "conflicts", "nearest", "tokens", "timings_ms"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("home"))) as site:
        upload_handbook(site.client)
        yield site


def test_search_returns_verbatim_spans(site: Site) -> None:
    response = site.client.post("/v1/corpora/handbook/search", json={"question": HOTEL, "k": 2}).json()
    assert set(response) == {"hits", "timings_ms"}
    assert response["timings_ms"]["total"] > 0
    assert 1 <= len(response["hits"]) <= 2
    best = response["hits"][0]
    assert set(best) == HIT
    assert best["document"] == "policies/travel.md"
    assert TRAVEL[best["start"] : best["end"]] == best["text"]
    assert "210 pounds" in best["text"]


def test_a_filter_acts_on_search_and_ask(site: Site) -> None:
    filter_ = {"$document": "policies/leave.txt", "year": {"$gte": 2026}}
    assert {hit["document"] for hit in find(site.client, "handbook", HOTEL, filter=filter_)} == {
        "policies/leave.txt"
    }
    answer = site.client.post(
        "/v1/corpora/handbook/ask", json={"question": HOTEL, "filter": {"year": 1999}}
    ).json()
    assert (answer["answerable"], answer["nearest"]) == (False, [])


def test_an_answer_cites_the_stored_words(site: Site) -> None:
    answer = site.client.post("/v1/corpora/handbook/ask", json={"question": HOTEL}).json()
    assert set(answer) == ANSWER
    assert "210 pounds" in answer["answer"]
    assert (answer["answerable"], answer["reason"], answer["nearest"]) == (True, "", [])
    for citation in answer["citations"]:
        assert set(citation) == CITATION
        stored = site.client.get(f"/v1/corpora/handbook/documents/{citation['document']}").json()
        assert stored["text"][citation["start"] : citation["end"]] == citation["quote"]
        assert (citation["verified"], citation["version"]) == (True, stored["version"])
        assert answer["answer"][citation["answer_start"] : citation["answer_end"]]
    tokens = answer["tokens"]
    assert tokens["used"] == sum(
        tokens[part] for part in ("system", "tools", "memory", "evidence", "question")
    )
    assert tokens["used"] <= tokens["budget"]


def test_a_refusal_gives_its_reason_and_the_nearest_hits(site: Site) -> None:
    question = "Which enzyme unwinds the double helix during replication?"
    answer = site.client.post("/v1/corpora/handbook/ask", json={"question": question}).json()
    assert (answer["answerable"], answer["answer"], answer["citations"]) == (False, "", [])
    assert answer["reason"]
    assert answer["nearest"]
    assert set(answer["nearest"][0]) == HIT


def test_explain_shows_every_candidate(site: Site) -> None:
    body = {"question": HOTEL, "explain": True}
    for kind in ("search", "ask"):
        explained = site.client.post(f"/v1/corpora/handbook/{kind}", json=body).json()["explain"]
        assert {candidate["document"] for candidate in explained["candidates"]} == {
            "policies/travel.md",
            "policies/leave.txt",
        }
        best = explained["candidates"][0]
        assert best["document"] == "policies/travel.md"
        assert best["dense"]["rank"] == best["lexical"]["rank"] == best["fused"]["rank"] == 1
    spans = [span for candidate in explained["candidates"] for span in candidate["spans"]]
    positions = sorted(span["position"] for span in spans if span["position"])
    assert positions == list(range(1, len(positions) + 1))
    assert positions
    assert all((span["tokens"] is None) == (span["position"] is None) for span in spans)


def test_explain_by_hand() -> None:
    first, second = (Chunk("d", "a.txt", 3, start, start + 9, "some text", 2) for start in (0, 10))

    def whole(chunk: Chunk, score: float) -> Hit:
        return Hit(chunk, chunk.start, chunk.end, chunk.text, score, "", chunk.page)

    some, text = Hit(second, 10, 14, "some", 0.7, ""), Hit(second, 15, 19, "text", 0.6, "")
    rankings = {
        "dense": (whole(first, 0.9), whole(second, 0.8)),
        "reranked": (whole(second, 0.5),),
        "trimmed": (some, text),
        "context": (text,),
    }
    trace = Trace("q", rankings, {first.id: "weak"}, ("late",), {"total": 1.0}, (12,))
    shared: dict[str, Any] = {"document": "a.txt", "version": 3, "page": 2}
    assert explain_to_json(trace) == {
        "question": "q",
        "notes": ["late"],
        "candidates": [
            shared
            | {
                "start": 10,
                "end": 19,
                "dense": {"rank": 2, "score": 0.8},
                "reranked": {"rank": 1, "score": 0.5},
            }
            | {
                "spans": [
                    {"start": 10, "end": 14, "rank": 1, "score": 0.7, "position": None, "tokens": None},
                    {"start": 15, "end": 19, "rank": 2, "score": 0.6, "position": 1, "tokens": 12},
                ],
                "dropped": None,
            },
            shared
            | {"start": 0, "end": 9, "dense": {"rank": 1, "score": 0.9}, "reranked": None}
            | {"spans": [], "dropped": "weak"},
        ],
    }


def events(text: str) -> list[tuple[str, Any]]:
    pattern = re.compile(r"event: (\w+)\ndata: (.*)")
    return [(m[1], json.loads(m[2])) for block in text.split("\n\n") if (m := pattern.fullmatch(block))]


def test_a_streamed_answer_is_the_plain_one(site: Site) -> None:
    body = {"question": "How many days of annual leave are there in Germany and the United Kingdom?"}
    plain = site.client.post("/v1/corpora/handbook/ask", json=body).json()
    with site.client.stream("POST", "/v1/corpora/handbook/ask", json=body | {"stream": True}) as response:
        assert (response.status_code, response.headers["Content-Type"]) == (
            200,
            "text/event-stream; charset=utf-8",
        )
        received = events(response.read().decode())
    names = [name for name, _ in received]
    assert list(dict.fromkeys(names)) == ["stage", "answer", "citations", "done"]
    assert {data["stage"] for name, data in received if name == "stage"} >= {
        "embed",
        "retrieve",
        "generate",
        "verify",
    }
    assert "".join(data["text"] for name, data in received if name == "answer") == plain["answer"]
    whole = received[-1][1]
    assert received[-2][1] == {"citations": plain["citations"]} == {"citations": whole["citations"]}
    assert whole | {"timings_ms": {}} == plain | {"timings_ms": {}}


class Waiting:
    """A generator that begins on request."""

    writes = False

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def generate(self, context: Context, on_part: OnPart = ignored) -> Draft:
        assert self.go_on.wait(HANG_S)
        return Draft("", (), 0.0, "It waited.")

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def test_stages_are_told_as_they_are_done(site: Site) -> None:
    generator, body = Waiting(), {"question": HOTEL, "stream": True}
    with (
        generating(site, generator),
        site.client.stream("POST", "/v1/corpora/handbook/ask", json=body) as response,
    ):
        received: list[str] = []
        lines = response.iter_lines()
        while '"assemble"' not in "".join(received):
            received.append(next(lines))
        assert not generator.go_on.is_set()  # the answer is still to be made
        generator.go_on.set()
        after = "\n".join(lines)
    told = [json.loads(line[6:])["stage"] for line in received if line.startswith("data: ")]
    assert told == ["embed", "retrieve", "fuse", "rerank", "trim", "assemble"]
    assert "It waited." in after


def test_a_streamed_refusal_has_no_answer_event(site: Site) -> None:
    body = {"question": "Which enzyme unwinds the double helix during replication?", "stream": True}
    received = events(site.client.post("/v1/corpora/handbook/ask", json=body).text)
    assert "answer" not in dict(received)
    assert dict(received)["done"]["reason"]


def test_an_error_after_the_first_event_is_an_event() -> None:
    def work(emit: Emit) -> None:
        emit(("stage", {"stage": "embed", "ms": 1.0}))
        raise ModelError("The model is gone.")

    async def streamed() -> list[str]:
        response = await stream_events(work, "/v1/x")
        return [str(part) async for part in response.body_iterator]

    first, last = asyncio.run(streamed())
    assert first == 'event: stage\ndata: {"stage": "embed", "ms": 1.0}\n\n'
    assert last.startswith("event: error\ndata: {")
    problem = json.loads(last.split("data: ")[1])
    assert (problem["status"], problem["detail"], problem["instance"]) == (500, "The model is gone.", "/v1/x")


def test_the_work_of_a_stream_ends_when_its_client_is_gone() -> None:
    left, ended = threading.Event(), threading.Event()

    def work(emit: Emit) -> None:
        emit(("answer", {"text": "a"}))
        left.wait(HANG_S)
        try:
            emit(("answer", {"text": "b"}))
        except ClientGone:
            ended.set()
            raise

    async def leave() -> None:
        response = await stream_events(work, "/v1/x")
        iterator = cast(AsyncGenerator[str, None], response.body_iterator)
        assert "answer" in await anext(iterator)
        await iterator.aclose()  # what the server does on a disconnect
        left.set()
        await asyncio.to_thread(ended.wait, 10)

    asyncio.run(leave())
    assert ended.is_set()


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_whose_client_leaves_is_remembered(site: Site, stream: bool) -> None:
    """Ask, ask again and hang up while a slow model writes, then ask "Why?": it is about the second question."""
    session = f"stopped-{stream}"
    ask = "/v1/corpora/handbook/ask"
    site.client.post(ask, json={"question": HOTEL, "session": session})
    second = {"question": "When do employees travel second class?", "session": session, "stream": stream}
    with talking(Talker("They do so.", pause_s=2)) as slow:
        settings = site.service.settings.model_copy(
            update={"writer": site.service.settings.writer.model_copy(update=_writer(slow))}
        )
        with (
            generating(site, load_generator(settings, site.service.embedder)),
            pytest.raises(httpx.ReadTimeout),
            httpx.Client(base_url=site.client.base_url, timeout=0.7) as leaving,
        ):
            leaving.post(ask, json=second)
        slow.left.wait(HANG_S)
    why = site.client.post(ask, json={"question": "Why?", "session": session}).json()

    assert why["question"] == "Why do employees travel second class?"
    kept = site.client.get(f"/v1/corpora/handbook/sessions/{session}").json()
    assert [turn["question"] for turn in kept["turns"]] == [HOTEL, second["question"], "Why?"]


def _writer(talker: Talker) -> dict[str, Any]:
    return {"generator": "openai", "generator_url": SecretStr(talker.url), "generator_model": "m"}
