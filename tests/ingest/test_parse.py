"""Parsing in a child process: it reads the same as `load`, and no file can harm the calling process."""

import os
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from ingest.formats.file_text import FileLimits
from ingest.load import load
from ingest.parse import Bounds, Parser
from rag.errors import NotFound, ProcessError, UnreadableFile
from tests.made_files import make_docx, make_pdf, make_pptx, make_xlsx, with_member
from tests.waiting import wait_until

HANDBOOK = Path(__file__).parents[2] / "corpora" / "handbook" / "documents"
# 63 MB, of four bytes a character once decoded
LARGE_TEXT = "\N{SNOWMAN}\N{GRINNING FACE}".encode() * 9_000_000


# The processes with which other tests in this process still read files
OTHERS: set[int] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    OTHERS.clear()
    OTHERS.update(children())


@pytest.fixture
def parser() -> Iterator[Parser]:
    parser = Parser(FileLimits(), Bounds())
    yield parser
    parser.close()


def children() -> list[int]:
    """Return the parsing processes of this one."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == os.getpid() and b"parse_process" in command and int(folder.name) not in OTHERS:
            found.append(int(folder.name))
    return found


def child() -> int:
    [only] = children()
    return only


def refusal(parser: Parser, data: bytes, name: str) -> str:
    with pytest.raises(UnreadableFile) as caught:
        parser.parse(data, name)
    assert str(caught.value).startswith(name)
    return str(caught.value)


def slow_json() -> bytes:
    """Make a file that takes long to read: it is deeply nested many times."""
    return b"[" + b",".join([b'{"a":' * 300 + b"1" + b"}" * 300] * 15_000) + b"]"


def element_bomb() -> bytes:
    """Make a docx of a few KB whose XML, below every limit of size, becomes a tree of more than 1 GB."""
    body = b"<w:p/>" * 3_000_000
    document = (
        b'<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        b"<w:body>" + body + b"</w:body></w:document>"
    )
    return with_member(make_docx(), "word/document.xml", document)


def pdf_bomb() -> bytes:
    """Make a PDF of 5 MB whose page unpacks to 1.2 GB."""
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(b" " * 10_000_000) for _ in range(120)) + packer.flush()
    plain = make_pdf(["x"])
    start, end = plain.index(b"stream\n") + 7, plain.index(b"endstream")
    header = plain.rindex(b"<<", 0, start)
    stream = b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed)
    return plain[:header] + stream + packed + b"\n" + plain[end:]


# what is read


def test_files_are_read_as_load_reads_them(parser: Parser) -> None:
    paths = [path for path in HANDBOOK.rglob("*") if path.is_file()]
    assert len({path.suffix for path in paths}) >= 10
    for path in paths:
        assert parser.parse(path.read_bytes(), path.name) == load(path.read_bytes(), path.name)
    child()  # one for all of them


def test_every_character_comes_back(parser: Parser) -> None:
    text = "Zürich 東京 😀 \u2028 \x0b e\u0301"
    assert parser.parse(text.encode("utf-16"), "a.txt").text == text


def test_a_bad_file_says_the_same_and_the_child_goes_on(parser: Parser) -> None:
    parser.parse(b"words", "a.txt")
    before = child()
    for data, name in ((b"", "a.txt"), (make_docx()[:-200], "a.docx"), (b"[" * 100_000, "a.json")):
        with pytest.raises(UnreadableFile) as told:
            load(data, name)
        assert refusal(parser, data, name) == str(told.value)
    assert child() == before


def test_the_limits_hold_in_the_child() -> None:
    with closing(Parser(FileLimits(max_pages=1, max_characters=50), Bounds())) as parser:
        assert "has 2 pages; expected at most 1" in refusal(parser, make_pdf(["1"], ["2"]), "a.pdf")
        assert "more than 50 characters" in refusal(parser, b"x" * 51, "a.txt")


# resource limits


def test_a_file_that_takes_too_long_fails_alone() -> None:
    with closing(Parser(FileLimits(), Bounds(seconds=2))) as parser:
        assert "took longer than 2 s to be read (IBID_PARSE_TIMEOUT_S)" in refusal(
            parser, slow_json(), "a.json"
        )
        assert children() == []
        assert parser.parse(b"words", "b.txt").text == "words"


@pytest.mark.parametrize(("make", "name"), [(element_bomb, "a.docx"), (pdf_bomb, "a.pdf")])
def test_a_file_that_takes_too_much_memory_fails_alone(make: Callable[[], bytes], name: str) -> None:
    with closing(Parser(FileLimits(), Bounds(memory_bytes=300_000_000))) as parser:
        message = refusal(parser, make(), name)
        assert "300 MB of memory" in message
        assert "IBID_PARSE_MEMORY_MB" in message
        assert parser.parse(make_xlsx(), "b.xlsx").pages  # the heaviest library still fits
        assert parser.parse(make_pptx(), "b.pptx").pages


def test_a_child_without_memory_says_so() -> None:
    with closing(Parser(FileLimits(), Bounds(memory_bytes=150_000_000))) as parser:
        message = refusal(parser, LARGE_TEXT, "large.txt")
        assert "needs more than 150 MB of memory (IBID_PARSE_MEMORY_MB) to be read" in message
        assert parser.parse(b"words", "b.txt").text == "words"


def test_a_child_that_grew_is_not_used_again(parser: Parser) -> None:
    ballast = bytearray(400_000_000)  # the caller's memory does not count
    ballast[::4096] = b"x" * len(ballast[::4096])
    parser.parse(b"words", "a.txt")
    first = child()
    parser.parse(b"words", "b.txt")
    assert child() == first
    del ballast
    parser.parse(LARGE_TEXT, "large.txt")
    assert children() == []
    assert parser.parse(b"words", "c.txt").text == "words"


def test_it_has_a_lower_priority_and_nothing_of_ours(parser: Parser, tmp_path: Path) -> None:
    with (tmp_path / "held.txt").open("w") as held:
        parser.parse(b"words", "a.txt")
        links = {str(link.readlink()) for link in Path(f"/proc/{child()}/fd").iterdir()}
        assert held.name not in links
    assert {link.partition(":")[0] for link in links} <= {"socket", "/dev/null"}
    assert len([link for link in links if link.startswith("socket")]) == 1
    nice = int(Path(f"/proc/{child()}/stat").read_text().rpartition(")")[2].split()[16])
    assert nice > os.getpriority(os.PRIO_PROCESS, 0)


# the life of the child


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_is_killed_fails_the_file_at_hand_only(parser: Parser, how: signal.Signals) -> None:
    parser.parse(b"words", "a.txt")
    victim = child()
    timer = threading.Timer(0.3, os.kill, (victim, how))
    timer.start()
    assert f"ended the process that read it ({how.name})" in refusal(parser, slow_json(), "a.json")
    timer.join()
    assert parser.parse(b"words", "b.txt").text == "words"
    assert child() != victim


def test_a_child_that_was_killed_between_two_files_fails_none(parser: Parser) -> None:
    parser.parse(b"words", "a.txt")
    victim = child()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not _runs(victim))
    assert parser.parse(b"words", "b.txt").text == "words"


def test_a_file_that_is_no_longer_wanted_is_let_go(parser: Parser) -> None:
    asked = count()
    with pytest.raises(NotFound, match="was cancelled or deleted while it was being read"):
        parser.parse(slow_json(), "a.json", wanted=lambda: next(asked) < 2)
    assert children() == []


_PARENT = """
import sys, threading
from ingest.formats.file_text import FileLimits
from ingest.parse import Bounds, Parser
from tests.ingest.test_parse import child, slow_json
parser = Parser(FileLimits(), Bounds())
parser.parse(b"words", "a.txt")
print(child(), flush=True)
if sys.argv[1] == "busy":
    parser.parse(slow_json(), "a.json")
sys.stdin.read()
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_it_ends_with_a_parent_that_is_killed(state: str) -> None:
    command = [sys.executable, "-c", _PARENT, state]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        if state == "busy":
            os.kill(orphan, signal.SIGSTOP)  # so that it cannot end by itself
        parent.kill()
    wait_until(lambda: not _runs(orphan))


def _runs(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_closing_and_forgetting_end_it() -> None:
    parser = Parser(FileLimits(), Bounds())
    parser.parse(b"words", "a.txt")
    parser.close()
    assert children() == []
    assert parser.parse(b"words", "a.txt").text == "words"
    del parser
    assert children() == []


# scans

_RECOGNISER = """
class Seen:
    txts = ("Recognised words.",)
    boxes = [[(20, 20), (220, 20), (220, 44), (20, 44)]]
class RapidOCR:
    def __call__(self, image):
        assert image.ndim == 3
        return Seen()
"""
_SCAN = """
import sys
from ingest.formats.file_text import FileLimits
from ingest.parse import Bounds, Parser
from tests.made_pdfs import drawn, picture
def scan():
    return drawn(*[lambda canvas: picture(canvas, 0, 0, 595, 842)] * 2)
from tests.ingest.test_parse import children
parser = Parser(FileLimits(), Bounds(memory_bytes=300_000_000))
text = parser.parse(scan(), "scan.pdf").text
print(len(children()), text, sep="|", end="")
"""


def test_a_scan_is_read_by_ocr_where_that_is_installed(tmp_path: Path) -> None:
    (tmp_path / "rapidocr.py").write_text(_RECOGNISER)  # in place of RapidOCR, an optional package
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _SCAN],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1|Recognised words.\n\nRecognised words."  # the child that recognises has ended


def test_a_child_outlives_the_thread_that_asked_first(parser: Parser) -> None:
    said: list[str] = []
    for n in range(8):
        thread = threading.Thread(target=lambda: said.append(parser.parse(b"words", "a.txt").text))
        thread.start()
        thread.join()
        assert len(said) == n + 1
    assert set(said) == {"words"}


@pytest.mark.parametrize(
    ("program", "why"), [("/bin/false", "it says nothing"), ("/nowhere/python", "No such file or directory")]
)
def test_a_child_that_cannot_start_is_no_fault_of_a_file(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, program: str, why: str
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(ProcessError, match=f"does not start .*{why}"):
        parser.parse(b"words", "a.txt")
    monkeypatch.undo()
    assert parser.parse(b"words", "a.txt").text == "words"
