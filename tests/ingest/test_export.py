"""Corpora as lines of JSON: the same text, pages, metadata, versions and answers after an import."""

import json
from base64 import b64encode
from contextlib import closing
from pathlib import Path

import pytest

from rag.store.catalog import Catalog
from tests.made_boxes import WordBox, pack
from tests.made_files import make_pdf
from tests.typed import Ibid

QUESTION = "What does the lamp of the lighthouse burn?"


@pytest.fixture
def sea(ibid: Ibid, home: Path) -> Path:
    """The folder of a corpus of three documents, one with pages and one changed once."""
    notes = home / "notes"
    notes.mkdir()
    (notes / "lamp.md").write_text("# Lighthouse\n\nThe lamp burns coal.")
    (notes / "Ärger.txt").write_text("Das Boot kostet 1.200 Euro.\u2028It is moored at pier 7.")
    (notes / "tide.pdf").write_bytes(make_pdf(["Tides of the north."], ["The tide turns at six."]))
    ibid("ingest", notes, "--corpus", "sea")
    (notes / "lamp.md").write_text("# Lighthouse\n\nThe lamp of the lighthouse burns whale oil.")
    ibid("ingest", notes, "--corpus", "sea")
    return notes


def elsewhere(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Continue in another data folder."""
    monkeypatch.setenv("IBID_HOME", str(home / "elsewhere"))


def test_a_corpus_comes_back_the_same(
    ibid: Ibid, sea: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = ibid("export", "--corpus", "sea").out
    lines = [json.loads(line) for line in exported.split("\n") if line]
    assert [(line["name"], line["version"], len(line["pages"])) for line in lines] == [
        ("lamp.md", 2, 0),
        ("tide.pdf", 1, 2),
        ("Ärger.txt", 1, 0),
    ]
    assert lines[2]["text"] == (sea / "Ärger.txt").read_text()
    assert ibid("export", "--corpus", "sea", "--out", home / "sea.jsonl").out == ""
    assert (home / "sea.jsonl").read_text() == exported
    answers = [
        ibid("ask", "--corpus", "sea", "--json", asked).json()
        for asked in (QUESTION, "When does the tide turn?")
    ]

    elsewhere(monkeypatch, home)
    done = ibid("import", home / "sea.jsonl", "--corpus", "sea", "--json")
    assert (done.code, done.json()) == (0, {"corpus": "sea", "counts": {"added": 3}, "failed": []})
    assert ibid("export", "--corpus", "sea").out == exported
    again = [
        ibid("ask", "--corpus", "sea", "--json", asked).json()
        for asked in (QUESTION, "When does the tide turn?")
    ]
    assert again[0]["citations"][0]["version"] == 2
    for answer in answers + again:
        del answer["timings_ms"]
    assert again == answers


def test_importing_again_does_nothing_and_a_change_is_a_new_version(
    ibid: Ibid, sea: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ibid("export", "--corpus", "sea", "--out", home / "sea.jsonl")
    assert ibid("import", home / "sea.jsonl", "--corpus", "sea", "--json").json()["counts"] == {
        "unchanged": 3
    }
    elsewhere(monkeypatch, home)
    ibid("import", home / "sea.jsonl", "--corpus", "sea")
    assert ibid("import", home / "sea.jsonl", "--corpus", "sea", "--json").json()["counts"] == {
        "unchanged": 3
    }

    changed = (home / "sea.jsonl").read_text().replace("whale oil", "kerosene")  # of the same original
    (home / "sea.jsonl").write_text(changed)
    assert ibid("import", home / "sea.jsonl", "--corpus", "sea", "--json").json()["counts"] == {
        "unchanged": 2,
        "updated": 1,
    }
    listed = {one["name"]: one["version"] for one in ibid("documents", "--corpus", "sea", "--json").json()}
    assert listed == {"lamp.md": 3, "tide.pdf": 1, "Ärger.txt": 1}
    assert "kerosene" in ibid("ask", "--corpus", "sea", QUESTION).out


def test_boxes_that_come_later_are_taken(ibid: Ibid, home: Path) -> None:
    line = {"name": "a.pdf", "text": "The lamp.", "sha256": "0" * 64}
    boxes = b64encode(pack([WordBox(0, 3, 1, 1, 1, 2, 2)])).decode()
    (home / "lines.jsonl").write_text(json.dumps(line))
    (home / "more.jsonl").write_text(json.dumps({**line, "boxes": boxes}))
    for name, becomes in (
        ("lines", "added"),
        ("lines", "unchanged"),
        ("more", "updated"),
        ("lines", "unchanged"),
    ):
        counts = ibid("import", home / f"{name}.jsonl", "--corpus", "sea", "--json").json()["counts"]
        assert counts == {becomes: 1}


def test_versions_never_go_back(ibid: Ibid, home: Path) -> None:
    (home / "in.jsonl").write_text('{"name": "a.txt", "text": "Herons nest.", "version": 7}\n')
    assert ibid("import", home / "in.jsonl", "--corpus", "birds").code == 0
    (home / "in.jsonl").write_text('{"name": "a.txt", "text": "Herons rest.", "version": 2}\n')
    assert "1 updated" in ibid("import", home / "in.jsonl", "--corpus", "birds").out
    with closing(Catalog(home / "home")) as catalog:
        assert catalog.documents.get("birds", "a.txt").version == 8


def test_what_another_tool_writes_needs_a_name_and_a_text_alone(ibid: Ibid, home: Path) -> None:
    (home / "in.jsonl").write_bytes(
        b'\xef\xbb\xbf{"name": "notes\\\\a.txt", "text": "Herons nest.", "rank": 3}\r\n\r\n'
        b'{"name": "b", "text": "Puffins dig.", "metadata": {"year": 2026, "draft": true}}'
    )
    assert ibid("import", home / "in.jsonl", "--corpus", "birds").out == "birds: 2 added\n"
    hits = ibid(
        "search", "--corpus", "birds", "--filter", '{"year": {"$gte": 2026}}', "--json", "who digs?"
    ).json()
    assert {hit["document"] for hit in hits["hits"]} == {"b"}
    assert [one["name"] for one in ibid("documents", "--corpus", "birds", "--json").json()] == [
        "b",
        "notes/a.txt",
    ]


BAD = {
    "not json": ("{", "It is not JSON"),
    "no object": ("[1]", "It is not an object"),
    "no text": ('{"name": "a"}', "It has no text"),
    "blank text": ('{"name": "a", "text": " \\n"}', "It has the text"),
    "NUL": ('{"name": "a", "text": "a\\u0000"}', "It has the text"),
    "half a pair": ('{"name": "a", "text": "a\\ud800"}', "It has the text"),
    "no name": ('{"text": "a"}', "It has no name"),
    "outside": ('{"name": "../a", "text": "a"}', "holds '..'"),
    "version": ('{"name": "a", "text": "a", "version": 0}', "It has the version 0"),
    "true version": ('{"name": "a", "text": "a", "version": true}', "It has the version True"),
    "sha256": ('{"name": "a", "text": "a", "sha256": "A"}', "It has the sha256"),
    "metadata": ('{"name": "a", "text": "a", "metadata": {"x": [1]}}', "It has the metadata"),
    "an odd omission": (
        '{"name": "a", "text": "abc", "omissions": [{"kind": "image"}]}',
        "It has the omissions",
    ),
    "damaged boxes": ('{"name": "a", "text": "abc", "boxes": "AAAA"}', "It has boxes that are none"),
    "boxes in no base64": ('{"name": "a", "text": "abc", "boxes": "?"}', "It has the boxes"),
    "falling pages": ('{"name": "a", "text": "abc", "pages": [0, 2, 1]}', "It has the pages"),
    "late first page": ('{"name": "a", "text": "abc", "pages": [1]}', "It has the pages"),
    "page beyond": (
        '{"name": "a", "text": "abc", "pages": [0, 4]}',
        "It has a page at 4, beyond its text of 3",
    ),
    "twice": ('{"name": "good.txt", "text": "other"}', "It names 'good.txt', as line 1 does"),
}


def test_bad_lines_are_named_and_do_not_stop_the_others(ibid: Ibid, home: Path) -> None:
    good = '{"name": "good.txt", "text": "Herons nest."}'
    lines = [good, *(line for line, _ in BAD.values()), good.replace("good", "last")]
    (home / "in.jsonl").write_bytes("\n".join(lines).encode() + b'\n{"name": "a", "text": "\xff"}\n')
    done = ibid("import", home / "in.jsonl", "--corpus", "birds", "--json")
    assert (done.code, done.json()["counts"]) == (2, {"added": 2})
    failed = {one["line"]: one["error"] for one in done.json()["failed"]}
    assert list(failed) == [*range(2, 2 + len(BAD)), len(BAD) + 3]
    for number, (_, message) in enumerate(BAD.values(), 2):
        assert message in failed[number], (number, failed[number])
    assert "failed: line 2: It is not JSON" in done.err
    assert 'expected {"name": "...", "text": "..."}' in done.err


def test_nothing_in_is_exit_code_1(ibid: Ibid, home: Path) -> None:
    (home / "in.jsonl").write_text("{\n")
    assert ibid("import", home / "in.jsonl", "--corpus", "birds").code == 1
    missing = ibid("import", home / "none.jsonl", "--corpus", "birds")
    assert (missing.code, "cannot be read" in missing.err) == (1, True)
    unknown = ibid("export", "--corpus", "none", "--out", home / "out.jsonl")
    assert (unknown.code, "There is no corpus 'none'" in unknown.err) == (1, True)
    assert not (home / "out.jsonl").exists()
    assert list(home.glob(".out*")) == []
