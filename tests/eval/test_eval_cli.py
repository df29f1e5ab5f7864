"""The eval commands as a release manager types them: from drafts to a gate, a page, and clear refusals."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.browsed import browsed, needs_chromium
from tests.typed import Ibid, ingest_texts

TEXTS = {
    "lamp.md": "# Lighthouse\n\nThe lamp of the lighthouse burns whale oil. It is lit at dusk by Ada Quill. "
    "The tower is 41 metres high and was built in May 1822.\n",
    "boat.txt": "The boat is moored at pier 7. Renting it costs 30 euros an hour. It carries 12 people.",
    "soup.txt": "The soup of the day is lentil soup. Lunch is served between noon and two. The cook is Bela Orr.",
}
ASKED = [
    ("What does the lamp burn?", "whale oil", "lamp.md", "The lamp of the lighthouse burns whale oil."),
    ("Who lights the lamp at dusk?", "Ada Quill", "lamp.md", "It is lit at dusk by Ada Quill."),
    ("How high is the tower?", "41 metres", "lamp.md", "The tower is 41 metres high"),
    ("Where is the boat moored?", "pier 7", "boat.txt", "The boat is moored at pier 7."),
    ("What does renting the boat cost?", "30 euros", "boat.txt", "Renting it costs 30 euros an hour."),
    ("What is the soup of the day?", "lentil soup", "soup.txt", "The soup of the day is lentil soup."),
    ("When is lunch served?", "between noon and two", "soup.txt", "Lunch is served between noon and two."),
]


@pytest.fixture
def asked(ibid: Ibid, home: Path) -> Path:
    """A corpus `sea`, and a question set about it."""
    ingest_texts(ibid, home / "texts", TEXTS, "sea")
    lines: list[dict[str, object]] = []
    for number, (question, answer, document, quote) in enumerate(ASKED):
        start = TEXTS[document].index(quote)
        gold = {"document": document, "start": start, "end": start + len(quote), "quote": quote}
        lines.append({"id": f"q{number}", "question": question, "answers": [answer], "evidence": [gold]})
    lines.append({"id": "u0", "question": "Who was the last king of Atlantis?", "answerable": False})
    path = home / "sea.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_from_a_run_to_a_gate_and_a_page(ibid: Ibid, asked: Path, home: Path) -> None:
    checked = ibid("eval", "check", "-c", "sea", "-q", asked)
    assert (checked.code, checked.out.splitlines()[-1]) == (0, f"{asked}: 8 questions, 0 wrong, 0 notes")

    ran = ibid("eval", "run", "-c", "sea", "-q", asked, "--out", home / "v1.json")
    assert ran.code == 0, ran.err
    assert "| faithfulness | 1.000 |" in ran.out
    assert "| right |" in ran.out
    assert "FAIL" not in ran.out

    rules = "right drops 0.1, context R@10 drops 0.05"
    gate = ("eval", "gate", "--baseline", home / "v1.json", "--fail-on", rules, "--out", home / "gate")
    passed = ibid(*gate, "--corpus", "sea", "--questions", asked)
    assert passed.code == 0, passed.out
    assert "## Passed" in passed.out
    written = {path.name for path in (home / "gate").iterdir()}
    assert written == {"run.json", "report.html", "gate.json", "gate.md", "junit.xml"}
    assert ElementTree.parse(home / "gate" / "junit.xml").getroot().get("failures") == "0"

    page = (home / "gate" / "report.html").read_text()
    assert "passed" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "")
    assert "<script" not in page

    worse = json.loads((home / "v1.json").read_text())
    for outcome in worse["outcomes"]:
        outcome["values"] |= {"right": 0.0} if "right" in outcome["values"] else {}
    (home / "v2.json").write_text(json.dumps(worse))
    failed = ibid(*gate, "--run", home / "v2.json")
    assert failed.code == 1
    assert "| FAIL | right drops 0.1 |" in failed.out
    assert json.loads((home / "gate" / "gate.json").read_text())["passed"] is False

    usual = ibid("eval", "gate", "--baseline", home / "v1.json", "--run", home / "v1.json")
    assert usual.code == 0, usual.out
    assert "not judged: refused drops 0.1: 1 questions have it" in usual.out

    compared = ibid("eval", "compare", home / "v1.json", home / "v2.json")
    assert compared.code == 0
    assert "| context R@10 | 1.000 | 1.000 | +0.000 | 1.000 | 7 |" in compared.out


def test_drafts_are_written_once(ibid: Ibid, asked: Path, home: Path) -> None:
    drafted = ibid("eval", "generate", "-c", "sea", "--out", home / "drafts.jsonl", "--count", 4)
    assert drafted.code == 0, drafted.err
    assert len((home / "drafts.jsonl").read_text().splitlines()) == 4
    assert ibid("eval", "check", "-c", "sea", "-q", home / "drafts.jsonl").code == 0

    again = ibid("eval", "generate", "-c", "sea", "--out", home / "drafts.jsonl")
    assert again.code == 1
    assert "is there already" in again.err


def test_an_ablation_and_a_report_of_it(ibid: Ibid, asked: Path, home: Path) -> None:
    done = ibid("eval", "ablate", "-c", "sea", "-q", asked, "--out", home / "a.json")
    assert done.code == 0, done.err
    assert "| as configured | 1.000 |" in done.out
    assert "| without BM25 |" in done.out
    assert "| best first, second best last |" in done.out
    assert "| position of the gold evidence |" in done.out
    ibid("eval", "run", "-c", "sea", "-q", asked, "--out", home / "r.json", "--no-ragas")
    page = home / "page.html"
    assert ibid("eval", "report", home / "r.json", "--ablation", home / "a.json", "--html", page).code == 0
    assert "Ablation" in page.read_text()
    wrong = ibid("eval", "report", home / "r.json", "--ablation", home / "r.json", "--html", page)
    assert (wrong.code, "is not an ablation" in wrong.err) == (1, True)


def test_what_cannot_be_run_exits_2_and_says_why(ibid: Ibid, asked: Path, home: Path) -> None:
    ibid("eval", "run", "-c", "sea", "-q", asked, "--out", home / "v1.json", "--no-ragas")
    gate = ("eval", "gate", "--baseline", home / "v1.json")
    edited = home / "edited.jsonl"
    edited.write_text(asked.read_text().replace("What does the lamp burn?", "What burns in the lamp?"))
    (home / "old.json").write_text('{"format": 0}')
    (home / "broken.jsonl").write_text(asked.read_text() + "{\n")
    (home / "dead.jsonl").write_text(asked.read_text().replace('"end": 29', '"end": 30'))
    fewer = home / "fewer.jsonl"
    fewer.write_text("".join(asked.read_text().splitlines(keepends=True)[2:]))
    for arguments, complaint in (
        ((*gate, "-c", "sea", "-q", fewer), "2 of its questions are no longer asked"),
        ((*gate, "-c", "sea", "-q", edited), "of another set or version"),
        ((*gate, "-c", "none", "-q", asked), "none"),
        ((*gate, "-c", "sea", "-q", home / "no.jsonl"), "cannot be read"),
        ((*gate, "-c", "sea", "-q", home / "broken.jsonl"), "line 9"),
        ((*gate, "-c", "sea"), "Give --corpus and --questions"),
        ((*gate, "--run", home / "v1.json", "--fail-on", "nonsense"), "is not a rule"),
        ((*gate, "--run", home / "v1.json", "--fail-on", "rihgt drops 0.1"), "the baseline has no 'rihgt'"),
        ((*gate, "--run", home / "v1.json", "-c", "sea"), "not both"),
        ((*gate, "-c", "sea", "-q", asked, "--judge-url", "http://127.0.0.1:1/v1"), "needs --judge-model"),
        ((*gate, "--no-such-option"), "No such option"),
        (("eval", "gate", "--run", home / "v1.json"), "Missing option"),
        (("eval", "gate", "--baseline", home / "old.json", "--run", home / "v1.json"), "has format 0"),
    ):
        done = ibid(*arguments)
        assert done.code == 2, arguments
        assert complaint in done.err
    dead = ibid("eval", "run", "-c", "sea", "-q", home / "dead.jsonl", "--out", home / "v2.json")
    assert (dead.code, (home / "v2.json").exists()) == (1, False)
    assert "cannot be measured with, such as q3" in dead.err


def test_an_old_verdict_does_not_pass_for_one_that_could_not_be_made(
    ibid: Ibid, asked: Path, home: Path
) -> None:
    ibid("eval", "run", "-c", "sea", "-q", asked, "--out", home / "v1.json", "--no-ragas")
    gate = ("eval", "gate", "--run", home / "v1.json", "--out", home / "gate", "--baseline")
    assert ibid(*gate, home / "v1.json").code == 0
    assert ibid(*gate, home / "gone.json").code == 2

    assert {path.name for path in (home / "gate").iterdir()} == {"junit.xml"}
    assert ElementTree.parse(home / "gate" / "junit.xml").getroot().get("errors") == "1"


def test_a_dead_span_fails_the_check(ibid: Ibid, asked: Path, home: Path) -> None:
    (home / "texts" / "boat.txt").write_text("New! " + TEXTS["boat.txt"])
    ibid("ingest", home / "texts", "--corpus", "sea")
    done = ibid("eval", "check", "-c", "sea", "-q", asked)

    assert done.code == 1
    assert "WRONG line 4, q3: boat.txt, characters 0 to 29: the quote has moved to 5-34" in done.out


@needs_chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_readable_in_a_browser(ibid: Ibid, asked: Path, home: Path, width: int) -> None:
    """In a real browser, at desktop and phone size: all plots are visible, and nothing overflows."""
    ibid("eval", "run", "-c", "sea", "-q", asked, "--out", home / "r.json", "--no-ragas")
    ibid("eval", "report", home / "r.json", "--html", home / "page.html")
    with browsed(width) as page:
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("request", lambda request: wrong.append(request.url) if request.url[:4] == "http" else None)
        page.goto((home / "page.html").as_uri())
        boxes = [plot.bounding_box() for plot in page.locator("svg").all()]
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        picture = page.screenshot(full_page=True, path=home / "page.png")

    assert wrong == []
    assert len(boxes) >= 6
    assert all(box and box["width"] > 200 and box["height"] > 60 for box in boxes)
    assert overflow <= 0
    assert len(picture) > 20_000
