"""Every endpoint, through a real server with the real models."""

import hashlib
import json
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from api.ready import Readiness
from api.render import explain_to_json
from api.service import Service
from rag.catalog import Catalog
from rag.embed import Embedder
from rag.errors import ModelError
from rag.settings import Settings
from rag.types import Chunk, Hit, Trace
from tests.made_files import make_pdf
from tests.served import LEAVE, TRAVEL, Site, find, finished, served, upload

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
}
ANSWER = {"answer", "answerable", "confidence", "reason", "citations", "nearest", "tokens", "timings_ms"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("home"))) as site:
        files = {"policies/travel.md": TRAVEL, "policies/leave.txt": LEAVE}
        assert (
            upload(site.client, "handbook", files, metadata='{"region": "EU", "year": 2026}')["state"]
            == "completed"
        )
        yield site


def test_an_upload_is_acknowledged_with_a_job_that_reports_each_file(site: Site) -> None:
    parts = [("files", (f"{name}.txt", f"The code of {name} is 7.".encode())) for name in ("one", "two")]
    response = site.client.post("/v1/corpora/acknowledged/documents", files=parts)
    job = response.json()["job"]
    assert (response.status_code, job["total"]) == (202, 2)
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    job = finished(site.client, job["id"])
    assert (job["state"], job["done"], job["error"], job["corpus"]) == ("completed", 2, None, "acknowledged")
    assert [(file["name"], file["state"]) for file in job["files"]] == [
        ("one.txt", "added"),
        ("two.txt", "added"),
    ]
    assert job["id"] in [listed["id"] for listed in site.client.get("/v1/jobs").json()["jobs"]]


def test_a_damaged_file_fails_alone_and_is_named(site: Site) -> None:
    files: dict[str, str | bytes] = {
        "good.txt": "Good text.",
        "broken.pdf": make_pdf(["Page one"])[:300],
        "also.pdf": make_pdf(["Also good."]),
    }
    job = upload(site.client, "mixed", files)
    assert job["state"] == "completed_with_errors"
    assert [file["state"] for file in job["files"]] == ["added", "failed", "added"]
    assert job["files"][1]["error"].startswith("broken.pdf is ")
    assert {hit["document"] for hit in find(site.client, "mixed", "good")} == {"good.txt", "also.pdf"}


def test_two_uploads_at_once(site: Site) -> None:
    batches = [
        {f"{part}-{n}.txt": f"Paragraph {n} of {part}." for n in range(5)} for part in ("first", "second")
    ]
    with ThreadPoolExecutor() as pool:
        jobs = list(pool.map(lambda files: upload(site.client, "both", files), batches))
    assert [job["state"] for job in jobs] == ["completed", "completed"]
    assert site.client.get("/v1/corpora/both/documents").json()["total"] == 10


def test_corpora_are_listed_and_deleted(site: Site) -> None:
    upload(site.client, "shortlived", {"a.txt": "Something."})
    listed = {corpus["name"]: corpus for corpus in site.client.get("/v1/corpora").json()["corpora"]}
    assert (listed["shortlived"]["documents"], listed["shortlived"]["chunks"]) == (1, 1)
    assert site.client.delete("/v1/corpora/shortlived").status_code == 204
    assert (
        site.client.post("/v1/corpora/shortlived/search", json={"question": "Something"}).status_code == 404
    )
    assert site.client.delete("/v1/corpora/shortlived").status_code == 404


def test_documents_are_listed_by_pages(site: Site) -> None:
    listing = site.client.get("/v1/corpora/handbook/documents", params={"limit": 1, "offset": 1}).json()
    assert (listing["total"], listing["limit"], listing["offset"]) == (2, 1, 1)
    [travel] = listing["documents"]
    assert (travel["name"], travel["version"], travel["characters"]) == ("policies/travel.md", 1, len(TRAVEL))
    assert travel["sha256"] == hashlib.sha256(TRAVEL.encode()).hexdigest()
    assert travel["metadata"] == {"format": "md", "region": "EU", "year": 2026}


def test_a_document_is_fetched_as_text_and_as_it_was(site: Site) -> None:
    original = make_pdf(["Erste Seite"], ["Zweite Seite"])
    upload(site.client, "files", {"Verträge/größe 1.pdf": original})
    document = site.client.get("/v1/corpora/files/documents/Verträge/größe 1.pdf").json()
    assert [document["text"][start : start + 6] for start in document["pages"]] == ["Erste ", "Zweite"]
    response = site.client.get("/v1/corpora/files/originals/Verträge%2Fgröße 1.pdf")
    assert response.content == original
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["Content-Security-Policy"].startswith("sandbox")


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


def test_a_streamed_refusal_has_no_answer_event(site: Site) -> None:
    body = {"question": "Which enzyme unwinds the double helix during replication?", "stream": True}
    received = events(site.client.post("/v1/corpora/handbook/ask", json=body).text)
    assert "answer" not in dict(received)
    assert dict(received)["done"]["reason"]


def test_deletion_is_immediate_in_search_and_ask(site: Site) -> None:
    fact = "The canteen in Lübeck opens at half past eleven."
    upload(site.client, "deletion", {"canteen.txt": fact, "travel.md": TRAVEL})
    question = {"question": "When does the canteen in Lübeck open?"}
    assert "eleven" in site.client.post("/v1/corpora/deletion/ask", json=question).json()["answer"]
    assert site.client.delete("/v1/corpora/deletion/documents/canteen.txt").status_code == 204
    assert fact not in json.dumps(find(site.client, "deletion", question["question"]), ensure_ascii=False)
    answer = site.client.post("/v1/corpora/deletion/ask", json=question).text
    assert "eleven" not in answer
    for kind in ("documents", "originals"):
        assert site.client.get(f"/v1/corpora/deletion/{kind}/canteen.txt").status_code == 404
    assert not site.service.catalog.original(hashlib.sha256(fact.encode()).hexdigest()).exists()


def test_a_changed_file_is_a_new_version(site: Site) -> None:
    for version, state in ((1, "added"), (2, "updated"), (2, "unchanged")):
        job = upload(site.client, "versions", {"price.txt": f"The price is {version} euros."})
        assert job["files"][0]["state"] == state
        assert site.client.get("/v1/corpora/versions/documents/price.txt").json()["version"] == version
    assert [hit["text"] for hit in find(site.client, "versions", "price")] == ["The price is 2 euros."]


def test_health_and_readiness(site: Site) -> None:
    assert site.client.get("/health").json() == {"status": "ok"}
    assert site.client.get("/ready").json() == {"ready": True, "reasons": [], "warnings": []}


class Modelless(Service):
    """A service whose model is missing."""

    @property
    def embedder(self) -> Embedder:  # type: ignore[override]
        raise ModelError("The model is missing; run `make install`.")


def test_readiness_says_what_is_lacking(tmp_path: Path) -> None:
    service = Modelless(Settings(home=tmp_path))
    readiness = Readiness(service)
    assert readiness.reasons() == ["The model and the indexes are being loaded."]
    readiness.start()
    readiness.stop()
    [reason] = readiness.reasons()
    assert "The model is missing; run `make install`." in reason
    service.close()


def test_a_corpus_of_another_model_is_a_warning_and_a_conflict(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.create_corpus("foreign", "of another model")
    catalog.close()
    with served(Settings(home=tmp_path)) as site:
        [warning] = site.client.get("/ready").json()["warnings"]
        assert "'foreign' was embedded by another model" in warning
        for method, path, body in (
            ("POST", "search", {"json": {"question": "x"}}),
            ("POST", "documents", {"files": {"files": ("a.txt", b"text")}}),
        ):
            response = site.client.request(method, f"/v1/corpora/foreign/{path}", **body)  # type: ignore[arg-type]
            assert response.status_code == 409, response.text


def test_openapi_describes_every_route_and_its_problems(site: Site) -> None:
    described = site.client.get("/openapi.json").json()
    operations = {(method, path) for path, methods in described["paths"].items() for method in methods}
    assert ("post", "/v1/corpora/{corpus}/documents") in operations
    assert len(operations) == 13
    for path, methods in described["paths"].items():
        for operation in methods.values():
            if path.startswith("/v1/"):
                assert "application/problem+json" in operation["responses"]["422"]["content"]
    assert "Problem" in described["components"]["schemas"]
    assert "HTTPValidationError" not in described["components"]["schemas"]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_needs_nothing_from_elsewhere(site: Site, path: str) -> None:
    response = site.client.get(path)
    assert "://" not in response.text
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    [script] = re.findall("<script>(.*?)</script>", response.text, re.DOTALL)
    assert b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", response.text)


def test_starting_and_searching_import_no_heavy_library(tmp_path: Path) -> None:
    with served(Settings(home=tmp_path)) as site:
        upload(site.client, "handbook", {"travel.md": TRAVEL})
    program = f"""
import sys, asyncio, pathlib
from api.app import create_app
from rag.settings import Settings
async def main():
    app = create_app(Settings(home=pathlib.Path({str(tmp_path)!r})))
    async with app.router.lifespan_context(app):
        print(app.state.service.pipeline.search("handbook", "hotel in London").hits[0].chunk.document)
asyncio.run(main())
heavy = "torch transformers sentence_transformers llama_index numba scipy pypdfium2 docx pptx openpyxl"
print([name for name in heavy.split() if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["travel.md", "[]"]
