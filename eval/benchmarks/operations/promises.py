"""Clients of a server that is killed: what each was told about its documents, and whether it is still true.

Every sentence of a generated document contains the document's marker, which no other version of any document has, and
the marker determines the whole text. So each hit shows by itself whose words it contains.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import httpx

CORPUS = "crash"
DOCUMENTS = 4  # per client
JOB_S = 120  # longest wait for a job
MARKER = re.compile(r"\bw(\d+)d(\d+)v(\d+)\b")
# A job's message about a file that was begun too often.
_GIVEN_UP = "The service ended"
_THINGS = ("valves", "seals", "lamps", "anchors", "barrels", "ropes", "sails", "charts", "bells", "oars")
# Stands for the marker of a document that does not exist.
ABSENT = ""


@dataclass
class Promise:
    """What is known about one document: the markers of the versions that may be found, perhaps ABSENT."""

    name: str
    now: set[str] = field(default_factory=lambda: {ABSENT})
    at_rest: set[str] = field(default_factory=lambda: {ABSENT})  # once every job has ended
    gone: list[str] = field(default_factory=list)  # markers replaced or deleted, oldest first
    # Marker -> (job, at rest before it)
    before: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    touched: bool = False  # since it was last verified

    def may_become(self, marker: str) -> None:
        """Note a request that was sent but not answered."""
        self.touched = True
        self.now |= {marker}
        self.at_rest |= {marker}

    def is_at_rest_as(self, marker: str) -> None:
        """Note what was acknowledged, or found at rest: everything else is gone."""
        self.gone += sorted((self.now | self.at_rest) - {marker, ABSENT})
        self.now, self.at_rest = {marker}, {marker}


class Client:
    """One client with its own documents. Findings are counted by kind; the first few are kept as text."""

    def __init__(self, number: int, seed: int) -> None:
        self._number, self._chance = number, random.Random(f"{seed}/{number}")
        self._serial = 0
        self.promises = [Promise(f"{number}/{document}.txt") for document in range(DOCUMENTS)]
        self._by_name = {promise.name: promise for promise in self.promises}
        self.operations = 0  # answered requests that store, change, delete or ask
        self.findings: Counter[str] = Counter()
        self.examples: list[str] = []

    def work(self, address: str) -> None:
        """Upload, change, delete, search and ask until the server is gone."""
        with httpx.Client(base_url=address, timeout=60) as http, suppress(httpx.TransportError):
            while True:
                self.act(http)

    def act(self, http: httpx.Client) -> None:
        """Do one thing with one of its documents, and note the response."""
        acts = [self._upload, self._delete, self._search, self._ask]
        self._chance.choices(acts, [45, 15, 25, 15])[0](http, self._chance.choice(self.promises))
        self.operations += 1

    def verify(self, http: httpx.Client, *, everything: bool = False) -> None:
        """Check every promise once all jobs have ended; search for what was touched, or for everything."""
        for promise in self.promises:
            found = self._stored(http, promise)
            if found not in promise.at_rest and not self._was_given_up(http, promise, found):
                kind = "returned from the dead" if promise.at_rest == {ABSENT} else "lost"
                self._find(
                    kind, f"{promise.name} is {found or 'absent'}, expected of {sorted(promise.at_rest)}"
                )
            promise.is_at_rest_as(found)
            if promise.touched or everything:
                self._verify_by_search(http, promise, found)
            promise.touched = False

    # what a client does

    def _upload(self, http: httpx.Client, promise: Promise) -> None:
        self._serial += 1
        marker = f"w{promise.name.replace('/', 'd').removesuffix('.txt')}v{self._serial}"
        before = set(promise.at_rest)
        promise.may_become(marker)
        files = [("files", (promise.name, text_of(marker).encode()))]
        response = http.post(f"/v1/corpora/{CORPUS}/documents", files=files)
        if not self._is(response, httpx.codes.ACCEPTED, promise):
            return
        job = response.json()["job"]["id"]
        promise.before[marker] = (job, before)
        promise.at_rest = {marker}
        if self._chance.random() < 0.6:
            ended = wait_for(http, job)
            if ended["state"] != "completed":
                self._find("lost", f"the job of {marker} ended as {ended}")
            promise.is_at_rest_as(marker)
            self._check_hits(self._hits(http, marker))

    def _delete(self, http: httpx.Client, promise: Promise) -> None:
        promise.may_become(ABSENT)
        response = http.delete(f"/v1/corpora/{CORPUS}/documents/{promise.name}")
        if response.status_code == httpx.codes.NOT_FOUND and ABSENT in promise.at_rest:
            return promise.is_at_rest_as(ABSENT)
        if self._is(response, httpx.codes.NO_CONTENT, promise):
            promise.is_at_rest_as(ABSENT)
            self._check_hits(self._hits(http, promise.gone[-1] if promise.gone else "nothing"))
        return None

    def _search(self, http: httpx.Client, promise: Promise) -> None:
        known = sorted((promise.now - {ABSENT}) | set(promise.gone[-3:])) or ["anything"]
        self._check_hits(self._hits(http, self._chance.choice(known)))

    def _ask(self, http: httpx.Client, promise: Promise) -> None:
        asked = f"How many {self._chance.choice(_THINGS)} are in shed {max(promise.now) or 'one'}?"
        response = http.post(f"/v1/corpora/{CORPUS}/ask", json={"question": asked})
        if response.status_code == httpx.codes.NOT_FOUND:  # before the first upload
            return
        if self._is(response, httpx.codes.OK, promise):
            answer = response.json()
            self._check_hits(answer["nearest"])
            for citation in answer["citations"]:
                self._check_quote(citation)

    # what it finds

    def _stored(self, http: httpx.Client, promise: Promise) -> str:
        """Return the marker of the stored document, or ABSENT."""
        response = http.get(f"/v1/corpora/{CORPUS}/documents/{promise.name}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return ABSENT
        text = response.json()["text"]
        marker = MARKER.search(text)
        if not marker or text != text_of(marker[0]) or name_of(marker[0]) != promise.name:
            self._find("wrong", f"{promise.name} holds {text[:80]!r}")
        return marker[0] if marker else ABSENT

    def _was_given_up(self, http: httpx.Client, promise: Promise, found: str) -> bool:
        """Return whether its job reports that the service ended too often while reading the new version."""
        for job, before in (promise.before[m] for m in promise.at_rest if m in promise.before):
            [file] = http.get(f"/v1/jobs/{job}").json()["files"]
            if found in before and file["state"] == "failed" and _GIVEN_UP in file["error"]:
                self.findings["given up"] += 1
                return True
        return False

    def _verify_by_search(self, http: httpx.Client, promise: Promise, found: str) -> None:
        if found:
            hits = self._hits(http, found)
            self._check_hits(hits)
            if not any(found in hit["text"] for hit in hits):
                self._find("lost", f"{promise.name} is stored as {found}, and is not found by that word")
            original = http.get(f"/v1/corpora/{CORPUS}/originals/{promise.name}")
            if original.text != text_of(found):
                self._find("lost", f"the original of {found} is {original.text[:80]!r}")
        if promise.gone:
            self._check_hits(self._hits(http, self._chance.choice(promise.gone)))

    def _hits(self, http: httpx.Client, question: str) -> list[dict[str, Any]]:
        response = http.post(f"/v1/corpora/{CORPUS}/search", json={"question": question})
        if response.status_code == httpx.codes.NOT_FOUND:  # before the first upload
            return []
        hits: list[dict[str, Any]] = response.json()["hits"]
        return hits

    def _check_hits(self, hits: list[dict[str, Any]]) -> None:
        """Check that each hit has the words of its own document, in a version that may be found."""
        for hit in hits:
            markers = {match[0] for match in MARKER.finditer(hit["text"])}
            if len(markers) != 1:
                self._find("wrong", f"a hit of {hit['document']} holds the words of {sorted(markers)}")
            for marker in markers:
                self._check_words(marker, hit, hit["text"])

    def _check_quote(self, citation: Mapping[str, Any]) -> None:
        """Check a citation; a short answer's quote need not contain a marker."""
        for match in MARKER.finditer(citation["quote"]):
            self._check_words(match[0], citation, citation["quote"])

    def _check_words(self, marker: str, place: Mapping[str, Any], words: str) -> None:
        own = text_of(marker)[place["start"] : place["end"]]
        if name_of(marker) != place["document"] or own != words:
            self._find("wrong", f"{place['document']}, {place['start']}: {words[:80]!r} is of {marker}")
        promise = self._by_name.get(place["document"])  # nothing is known about other clients' documents
        if promise and marker not in promise.now:
            self._find("returned from the dead", f"{marker} was found, expected of {sorted(promise.now)}")

    def _is(self, response: httpx.Response, status: int, promise: Promise) -> bool:
        if response.status_code != status:
            self._find("refused", f"{promise.name}: {response.status_code} {response.text[:200]}")
        return response.status_code == status

    def _find(self, kind: str, what: str) -> None:
        self.findings[kind] += 1
        self.examples = [*self.examples, f"{kind}: {what}"][:20]


def name_of(marker: str) -> str:
    """Return the name of the document with this marker."""
    match = MARKER.fullmatch(marker)
    return f"{match[1]}/{match[2]}.txt" if match else ""


@lru_cache(maxsize=1000)
def text_of(marker: str) -> str:
    """Return the text with this marker: 1 to 300 sentences, usually few."""
    chance = random.Random(marker)
    sentences = chance.choice([1, 3, 10, 10, 30, 300])
    return " ".join(
        f"Shed {marker} holds {chance.randrange(1000)} {chance.choice(_THINGS)} on shelf {n}."
        for n in range(sentences)
    )


def wait_for(http: httpx.Client, job: str) -> dict[str, Any]:
    """Wait until a job has ended and return it.

    Raises:
        RuntimeError: if it does not end.
    """
    began = time.monotonic()
    while time.monotonic() - began < JOB_S:
        state: dict[str, Any] = http.get(f"/v1/jobs/{job}").json()
        if state["finished"]:
            return state
        time.sleep(0.01)
    raise RuntimeError(f"Job {job} does not end: {state}")
