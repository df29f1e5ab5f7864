"""Corpora, documents, jobs and pages, through a real server with the real models."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag.settings import Settings
from tests.made_files import make_pdf
from tests.served import TRAVEL, Site, find, finished, served, upload, upload_handbook


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("home"))) as site:
        upload_handbook(site.client)
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
    assert job["files"][1]["error"].startswith("load: broken.pdf is ")
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
    assert not site.service.catalog.originals.path(hashlib.sha256(fact.encode()).hexdigest()).exists()


def test_a_deletion_beats_an_upload_that_is_on_its_way(site: Site) -> None:
    upload(site.client, "raced", {"kept.txt": "What is kept."})
    slow = "".join(f"Line {n} of the long report tells of reading {n * 7}. " for n in range(800))
    parts = [("files", (name, text.encode())) for name, text in (("gone.txt", slow), ("next.txt", "Next."))]
    job = site.client.post("/v1/corpora/raced/documents", files=parts).json()["job"]["id"]
    assert site.client.delete("/v1/corpora/raced/documents/gone.txt").status_code == 204
    ended = finished(site.client, job)
    assert [file["state"] for file in ended["files"]] == ["cancelled", "added"]
    listed = site.client.get("/v1/corpora/raced/documents").json()["documents"]
    assert [document["name"] for document in listed] == ["kept.txt", "next.txt"]


def test_a_changed_file_is_a_new_version(site: Site) -> None:
    for version, state in ((1, "added"), (2, "updated"), (2, "unchanged")):
        job = upload(site.client, "versions", {"price.txt": f"The price is {version} euros."})
        assert job["files"][0]["state"] == state
        assert site.client.get("/v1/corpora/versions/documents/price.txt").json()["version"] == version
    assert [hit["text"] for hit in find(site.client, "versions", "price")] == ["The price is 2 euros."]


def test_health_and_readiness(site: Site) -> None:
    assert site.client.get("/health").json() == {"status": "ok"}
    assert site.client.get("/ready").json() == {"ready": True, "reasons": [], "warnings": []}


def test_openapi_describes_every_route_and_its_problems(site: Site) -> None:
    described = site.client.get("/openapi.json").json()
    operations = {(method, path) for path, methods in described["paths"].items() for method in methods}
    assert ("post", "/v1/corpora/{corpus}/documents") in operations
    assert len(operations) == 23
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


def test_a_session_understands_follow_ups_and_is_forgotten(site: Site) -> None:
    text = "Ada Quill was the keeper of the lighthouse. Ada Quill was born in Lund."
    upload(site.client, "keepers", {"quill.txt": text})
    asked = {"session": "one", "user": "bo"}
    ask, sessions = "/v1/corpora/keepers/ask", "/v1/corpora/keepers/sessions"
    site.client.post(ask, json={"question": "Who was Ada Quill?", **asked})
    answer = site.client.post(ask, json={"question": "Where was she born?", **asked}).json()

    assert answer["question"] == "Where was Ada Quill born?"
    assert "Lund" in answer["answer"]
    alone = site.client.post(ask, json={"question": "Where was she born?"}).json()
    assert alone["question"] == "Where was she born?"
    assert site.client.get(sessions).json() == {"sessions": []}
    (listed,) = site.client.get(sessions, params={"user": "bo"}).json()["sessions"]
    assert (listed["name"], listed["turns"]) == ("one", 2)
    turns = site.client.get(f"{sessions}/one", params={"user": "bo"}).json()["turns"]
    assert [turn["rewritten"] for turn in turns] == ["Who was Ada Quill?", "Where was Ada Quill born?"]
    assert site.client.delete(f"{sessions}/one", params={"user": "bo"}).status_code == 204
    assert site.client.delete(f"{sessions}/one", params={"user": "bo"}).status_code == 404
    assert site.client.get(f"{sessions}/one", params={"user": "bo"}).status_code == 404
    assert site.client.get("/v1/corpora/none/sessions").status_code == 404
    assert site.client.post(ask, json={"question": "Who?", "session": ""}).status_code == 422
    events = site.client.post(ask, json={"question": "Who was Ada Quill?", "stream": True, **asked}).text
    assert "event: done" in events
    assert site.client.get(f"{sessions}/one", params={"user": "bo"}).json()["turns"]


def test_what_a_user_states_is_listed_corrected_and_forgotten(site: Site) -> None:
    upload(site.client, "keepers", {"quill.txt": "Ada Quill was the keeper of the lighthouse."})
    facts, asked = "/v1/corpora/keepers/facts", {"session": "two", "user": "bo"}
    for turn in range(5):
        question = f"My deadline is {14 + turn} May. Who was Ada Quill?"
        said = site.client.post("/v1/corpora/keepers/ask", json={"question": question, **asked}).json()
    assert "Remembered: My deadline is 18 May" in said["notes"]
    turns = site.client.get("/v1/corpora/keepers/sessions/two", params={"user": "bo"}).json()["turns"]
    # Put in order after each answer
    assert [turn["tier"] for turn in turns] == ["session"] * 2 + ["active"] * 3

    assert site.client.get(facts).json() == {"facts": []}
    assert len(site.client.get(facts, params={"user": "bo", "history": True}).json()["facts"]) == 5
    (fact,) = site.client.get(facts, params={"user": "bo"}).json()["facts"]
    one = f"{facts}/{fact['id']}"
    right = site.client.put(one, params={"user": "bo"}, json={"text": "My deadline is 1 June."}).json()
    assert (right["text"], right["session"], right["corrected"]) == ("My deadline is 1 June", "two", True)
    assert site.client.delete(f"{facts}/{2**64}", params={"user": "bo"}).status_code == 422
    assert site.client.put(one, json={"text": "x"}).status_code == 404
    assert site.client.put(one, params={"user": "bo"}, json={"text": " "}).status_code == 422
    assert site.client.put(one, params={"user": "bo"}, json={"texts": "x"}).status_code == 422
    asking = {"question": "When is my deadline?", **asked}
    told = site.client.post("/v1/corpora/keepers/ask", json=asking).json()
    assert [one["text"] for one in told["facts"]] == ["My deadline is 1 June"]
    assert site.client.delete(f"{facts}/{right['id']}").status_code == 404  # another user's
    assert site.client.delete(f"{facts}/{right['id']}", params={"user": "bo"}).status_code == 204
    assert site.client.get(facts, params={"user": "bo", "history": True}).json() == {"facts": []}
