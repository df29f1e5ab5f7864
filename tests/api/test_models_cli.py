"""The commands about models: their output and exit codes, on the real pack and on a damaged one."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from api import cli
from api.commands.lines import run_lines, working
from api.commands.models import is_prepared, shipped_models
from rag.errors import ModelError
from rag.models import pack, prepare
from rag.models.evidence import EvidencePassage
from rag.settings import Settings
from tests.waiting import HANG_S

ROOT = Path(__file__).parents[2]
# Of an adapter, and of a whole encoder without its embeddings.
MOST_BYTES = (5_000_000, 25_000_000)
ENTRIES: dict[str, dict[str, Any]] = {
    "reranker": {"question": "Who wrote Hamlet?", "texts": ["Shakespeare wrote Hamlet.", "Butter melts."]},
    "evidence": {
        "question": "Who wrote Hamlet?",
        "context": "Butter melts. He wrote Hamlet in 1600.",
        "place": "William Shakespeare",
    },
    "reader": {"question": "Who wrote Hamlet?", "context": "It is known that Shakespeare wrote Hamlet."},
    "compressor": {"text": "The lamp is lit at dusk, and it burns until the sun is up.", "rate": 0.5},
    "judge": {"premise": "Shakespeare wrote Hamlet in London.", "hypothesis": "Hamlet is by Shakespeare."},
}


@dataclass(frozen=True)
class Reading:
    answer: str
    start: int
    end: int
    score: float
    no_answer: float
    spans: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compressed:
    text: str
    kept: tuple[tuple[int, int], ...]


class Words:
    """A stand-in for all models, which counts shared words."""

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:
        return np.array([self.share(question, text) for text in texts], np.float32)

    def support(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        return np.array([self.share(hypothesis, premise) for premise, hypothesis in pairs], np.float32)

    def read(self, question: str, context: str) -> Reading:
        first = context.split()[0]
        start = context.index(first)
        return Reading(first, start, start + len(first), 0.75, 1 - self.share(question, context))

    def scores(self, question: str, passages: Sequence[EvidencePassage]) -> list[np.ndarray]:
        """Score the units; a passage's place adds ten for each of its words."""
        return [
            np.array([self.share(question, one.text[start:end]) for start, end in one.units])
            + 10 * len(one.place.split())
            for one in passages
        ]

    def compress(self, text: str, rate: float, *, question: str = "") -> Compressed:
        if rate == 0.125:
            raise ModelError("The rate is one eighth.")
        end = round(rate * len(text))
        return Compressed(question + text[:end], ((0, end),))

    @staticmethod
    def share(part: str, whole: str) -> float:
        words = set(part.lower().split())
        return len(words & set(whole.lower().split())) / max(1, len(words))


def results(job: str, *lines: str) -> list[dict[str, Any]]:
    written: list[str] = []
    failed = run_lines(job, working(job, Words()), lines, written.append)
    done: list[dict[str, Any]] = [json.loads(line) for line in written]
    assert failed == sum("error" in one for one in done)
    return done


def ibid(*arguments: object, tree: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api.cli", "models", *map(str, arguments)]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    return tmp_path / "lines.jsonl"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the code and its pack, to be damaged; prepared models stay with the installation."""
    for folder in ("api", "eval", "ingest", "rag"):
        shutil.copytree(ROOT / folder, tmp_path / "tree" / folder, ignore=shutil.ignore_patterns("*.pyc"))
    return tmp_path / "tree"


def test_each_job_has_the_agreed_fields() -> None:
    lines = {job: json.dumps({"id": 7} | entry) for job, entry in ENTRIES.items()}

    assert results("reranker", lines["reranker"]) == [{"id": 7, "scores": [pytest.approx(1 / 3), 0.0]}]
    assert results("evidence", lines["evidence"]) == [
        {
            "id": 7,
            "units": [
                {
                    "text": "He wrote Hamlet in 1600.",
                    "start": 14,
                    "end": 38,
                    "score": pytest.approx(20 + 1 / 3),
                },
                {"text": "Butter melts.", "start": 0, "end": 13, "score": 20.0},
            ],
        }
    ]
    assert results("reader", lines["reader"]) == [
        {"id": 7, "answer": "It", "start": 0, "end": 2, "score": 0.75, "no_answer": pytest.approx(2 / 3)}
    ]
    assert results("compressor", lines["compressor"]) == [
        {"id": 7, "text": "The lamp is lit at dusk, and ", "kept": [[0, 29]]}
    ]
    assert results("judge", lines["judge"]) == [{"id": 7, "supported": 0.25}]


MARKDOWN = """# Wells

Is it deep?

| well | depth |
| --- | --- |
| Ash | 193 m |
| Elm | 204 m |

- wear a helmet
"""


def test_rows_and_items_are_units_and_headings_and_questions_are_not() -> None:
    line = json.dumps({"id": 1, "question": "what is 204 m", "context": MARKDOWN, "place": None})
    [done] = results("evidence", line)
    assert [one["text"] for one in done["units"]] == ["Elm | 204 m", "Ash | 193 m", "wear a helmet"]
    for one in done["units"]:
        assert MARKDOWN[one["start"] : one["end"]] == one["text"]


@pytest.mark.parametrize("context", ["", " \n", "# Only a heading", "What is it?"])
def test_a_text_that_states_nothing_has_no_units(context: str) -> None:
    assert results("evidence", json.dumps({"question": "x", "context": context})) == [
        {"id": None, "units": []}
    ]


def test_a_compressor_may_be_given_the_question() -> None:
    line = '{"id": 1, "text": "lamp", "rate": 1, "question": %s}'

    asked, absent = results("compressor", line % '"What? "', line % "null")

    assert [asked["text"], absent["text"]] == ["What? lamp", "lamp"]


@pytest.mark.parametrize(
    ("job", "line", "told"),
    [
        ("judge", "not json", "Line 2 is not JSON"),
        ("judge", "[" * 100_000, "Line 2 is not JSON"),
        ("judge", '["premise"]', "Line 2 is not an object; expected {"),
        ("judge", '{"id": "b", "premise": "x"}', "Line 2 has no hypothesis; expected {"),
        ("judge", '{"id": "b", "premise": 5, "hypothesis": "x"}', "has a premise that is not a text"),
        (
            "judge",
            '{"id": "b", "premise": "\\ud800", "hypothesis": "x"}',
            "half a surrogate pair at character 0",
        ),
        ("reader", '{"id": "b", "question": "x", "context": null}', "has a context that is not a text"),
        ("evidence", '{"id": "b", "question": "x"}', "has no context; expected {"),
        (
            "evidence",
            '{"id": "b", "question": "x", "context": "y", "place": 1}',
            "a place that is not a text",
        ),
        ("reranker", '{"id": "b", "question": "x", "texts": "y"}', "has a texts that is not a list of texts"),
        ("reranker", '{"id": "b", "question": "x", "texts": ["y", 5]}', "at place 1 is not a text"),
        ("compressor", '{"id": "b", "text": "x"}', "has no rate; expected {"),
        ("compressor", '{"id": "b", "text": "x", "rate": "0.5"}', "has a rate that is not a number"),
        ("compressor", '{"id": "b", "text": "x", "rate": true}', "has a rate that is not a number"),
        ("compressor", '{"id": "b", "text": "x", "rate": 0}', "a rate that is 0; expected"),
        ("compressor", '{"id": "b", "text": "x", "rate": 1.01}', "a rate that is 1.01; expected"),
        ("compressor", '{"id": "b", "text": "x", "rate": NaN}', "a rate that is nan; expected"),
        ("compressor", '{"id": "b", "text": "x", "rate": 1, "question": 1}', "a question that is not a text"),
        ("compressor", '{"id": "b", "text": "x", "rate": 0.125}', "Line 2: The rate is one eighth."),
    ],
)
def test_a_bad_line_is_named_and_the_others_go_on(job: str, line: str, told: str) -> None:
    good = json.dumps({"id": "a"} | ENTRIES[job])

    first, bad, last = results(job, good, line, "", good.replace('"a"', '"c"'))

    assert told in bad["error"]
    assert bad["id"] == ("b" if '"id"' in line else None)
    assert [first["id"], last["id"]] == ["a", "c"]
    assert "error" not in first | last


def test_results_keep_the_order_of_the_lines_and_do_not_wait_for_all_of_them() -> None:
    seen, release = [], Event()

    def work(entry: dict[str, Any]) -> dict[str, Any]:
        if entry["premise"] == "0":
            assert release.wait(HANG_S)  # of the lines in progress, the first finishes last
        return {"supported": float(entry["premise"])}

    def lines() -> list[str]:
        return [json.dumps({"id": n, "premise": str(n), "hypothesis": ""}) for n in range(200)]

    class Release(list[str]):
        """Lines that release the first one only once the second has been taken."""

        def __iter__(self) -> Any:
            for number, line in enumerate(super().__iter__()):
                yield line
                seen.append(number)
                if number == 1:
                    release.set()

    written: list[int] = []

    def write(line: str) -> None:
        written.append(json.loads(line)["id"])
        if len(written) == 1:
            assert max(seen) < 199  # the last lines had not been read when the first result was written

    assert run_lines("judge", work, Release(lines()), write) == 0
    assert written == list(range(200))


@pytest.mark.parametrize("job", pack.shipped())
def test_the_pack_runs_over_a_file(job: str, batch: Path) -> None:
    batch.write_text(
        "\n".join(["\ufeff" + json.dumps({"id": "a"} | ENTRIES[job]), "", json.dumps(ENTRIES[job]), "{}"])
    )

    done = ibid("run", job, "--batch", batch)

    assert done.returncode == 2, done.stderr
    first, second, bad = map(json.loads, done.stdout.splitlines())
    assert [first.pop("id"), second.pop("id"), bad["id"]] == ["a", None, None]
    assert first == second
    assert "Line 4 has no" in bad["error"]
    check_result(job, ENTRIES[job], first)


def check_result(job: str, entry: dict[str, Any], result: dict[str, Any]) -> None:
    if job == "reranker":
        relevant, other = result["scores"]
        assert 1 >= relevant > other >= 0
    elif job == "reader":
        assert set(result) == {"answer", "start", "end", "score", "no_answer"}
        assert result["answer"] == entry["context"][result["start"] : result["end"]] == "Shakespeare"
    elif job == "evidence":
        assert [one["text"] for one in result["units"]] == ["He wrote Hamlet in 1600.", "Butter melts."]
        assert result["units"][0]["score"] > 0 > result["units"][1]["score"]
    elif job == "compressor":
        assert result["text"] == " ".join(entry["text"][start:end] for start, end in result["kept"])
        assert len(result["text"]) <= 0.6 * len(entry["text"])
    else:
        assert set(result) == {"supported"}
        assert 0.5 < result["supported"] <= 1


def test_verify_finds_the_pack_whole() -> None:
    done = ibid("verify")

    assert done.returncode == 0, done.stdout
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["ok", f"{job}:"] for job in ("embedder", *pack.shipped())
    ]


def test_verify_finds_a_damaged_and_a_missing_file(tree: Path) -> None:
    pack = tree / "rag" / "pack"
    damaged = bytearray((pack / "compressor.safetensors").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (pack / "compressor.safetensors").write_bytes(damaged)
    done = ibid("verify", tree=tree)
    assert (done.returncode, done.stdout.count("WRONG")) == (1, 1)
    assert "compressor.safetensors is damaged or foreign" in done.stdout
    assert "ok     embedder" in done.stdout
    doctor = subprocess.run(
        [sys.executable, "-m", "api.cli", "doctor"], cwd=tree, capture_output=True, text=True, check=False
    )
    assert doctor.returncode == 1
    assert "WRONG  generator" in doctor.stdout

    (pack / "compressor.safetensors").unlink()
    done = ibid("verify", tree=tree)
    assert (done.returncode, done.stdout.count("WRONG")) == (1, 1)
    assert "compressor.safetensors is missing" in done.stdout


def test_verify_finds_a_network_that_gives_other_results(tree: Path) -> None:
    path = tree / "rag" / "pack" / "pack.json"
    described = json.loads(path.read_text())
    described["models"]["compressor"]["probe"][0] += 5
    path.write_text(json.dumps(described))

    done = ibid("verify", tree=tree)

    assert done.returncode == 1
    assert done.stdout.count("WRONG") == 1
    assert "The prepared compressor gives" in done.stdout


def test_a_pack_for_another_trunk_is_refused(tree: Path, batch: Path) -> None:
    path = tree / "rag" / "pack" / "pack.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"trunk_sha256": "f" * 64}))
    batch.write_text("{}\n")

    for done in (ibid("verify", tree=tree), ibid("run", "compressor", "--batch", batch, tree=tree)):
        assert done.returncode == 1
        assert "The pack was made for the trunk ffffffffffffffff" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_the_models_are_listed_with_what_the_settings_choose() -> None:
    done = ibid("list", "--json")

    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert [one["job"] for one in listed] == ["embedder", *pack.JOBS]
    assert [one["job"] for one in listed if one["prepared"]] == ["embedder", *pack.shipped()]
    assert all(0 < one["bytes"] <= MOST_BYTES[one["job"] in pack.WHOLE] for one in listed[1:])
    assert [one["name"] for one in listed[2:4]] == ["evidence network", "reader network"]
    chosen = shipped_models(Settings(judge="none", reader="some/reader"))
    assert [one.used for one in chosen if one.job in ("reader", "judge")] == [
        "the settings choose some/reader",
        "the settings choose none",
    ]


def test_what_is_prepared_is_where_preparing_puts_it() -> None:
    for job in pack.shipped():
        assert prepare.prepared(job).is_file()
        assert is_prepared(job)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "judge"), "Missing option '--batch'"),
        (("run", "poet", "--batch", "x"), "'poet' is not one of 'reranker'"),
        (("run", "judge", "--batch", "no-such-file"), "no-such-file cannot be read"),
        (
            ("run", "judge", "--batch", str(ROOT / "README.md"), "--model", "./no-such-folder"),
            "no-such-folder",
        ),
        (
            ("run", "evidence", "--batch", str(ROOT / "README.md"), "--model", "some/model"),
            "'some/model' cannot replace the packaged evidence model; leave --model out.",
        ),
    ],
)
def test_what_cannot_be_run_exits_1_with_one_line(
    arguments: tuple[str, ...],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["ibid", "models", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()

    assert exit_.value.code == 1
    assert told in capsys.readouterr().err
