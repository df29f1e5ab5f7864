"""Scanning a folder: what is hashed, what is skipped, and what fails alone."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.formats.file_text import FileLimits
from ingest.sync.folder import FolderScan, scan_folder
from rag.errors import InvalidInput

NOBODY = 65534
LIMITS = FileLimits(max_file_bytes=1000)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.md").write_text("one")
    (tmp_path / "sub" / "b.txt").write_text("two")
    return tmp_path


def test_files_are_hashed_by_name_and_others_passed_over(folder: Path) -> None:
    (folder / ".hidden.md").write_text("hidden")
    (folder / ".git").mkdir()
    (folder / ".git" / "c.md").write_text("hidden")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    found = scan_folder(folder, LIMITS)
    assert found.hashes == {"a.md": sha256("one"), "sub/b.txt": sha256("two")}
    assert (found.failed, found.unlisted) == ({}, ())
    assert found.sources["sub/b.txt"].read() == b"two"


def test_names_that_differ_by_case_alone_are_two_documents(folder: Path) -> None:
    (folder / "A.md").write_text("another")
    if (folder / "a.md").read_text() != "one":
        pytest.skip("this file system does not tell them apart")
    assert scan_folder(folder, LIMITS).hashes.keys() == {"a.md", "A.md", "sub/b.txt"}


def test_names_that_differ_by_encoding_alone_are_one_and_neither_is_taken(folder: Path) -> None:
    (folder / "e\u0301.md").write_text("decomposed")
    (folder / "\u00e9.md").write_text("composed")
    (folder / "sub\\b.txt").write_text("a backslash, which other systems read as a slash")
    found = scan_folder(folder, LIMITS)
    assert found.hashes.keys() == {"a.md"}
    assert found.failed.keys() == {"\u00e9.md", "sub/b.txt"}
    assert "Two files have the name" in found.failed["sub/b.txt"]
    (folder / "\u00e9.md").unlink()
    assert scan_folder(folder, LIMITS).hashes["\u00e9.md"] == sha256("decomposed")


def test_a_name_that_is_not_utf_8_fails_alone(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.md")
    (folder / name).write_text("words")
    found = scan_folder(folder, LIMITS)
    assert found.failed.keys() == {name}
    assert len(found.hashes) == 2


def test_links_to_files_are_read_and_links_to_folders_are_not_followed(folder: Path) -> None:
    (folder / "link.md").symlink_to(folder / "a.md")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.md").symlink_to(folder / "nowhere.md")
    (folder / "itself.md").symlink_to(folder / "itself.md")
    found = scan_folder(folder, LIMITS)
    assert found.hashes == {"a.md": sha256("one"), "link.md": sha256("one"), "sub/b.txt": sha256("two")}
    assert "does not exist" in found.failed["dangling.md"]
    assert "cannot be read" in found.failed["itself.md"]
    assert not found.lacks("dangling.md")


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    current = tmp_path_factory.mktemp("links") / "current"
    current.symlink_to(folder)
    assert scan_folder(current, LIMITS).hashes == scan_folder(folder, LIMITS).hashes


def test_pipes_large_files_and_files_being_written_fail_alone(folder: Path) -> None:
    os.mkfifo(folder / "pipe.md")
    (folder / "large.md").write_text("x" * 1001)
    failed = scan_folder(folder, LIMITS).failed
    assert failed.keys() == {"pipe.md", "large.md"}
    assert "not a regular file" in failed["pipe.md"]
    assert "1,001 bytes" in failed["large.md"]


WRITER = """
import sys
with open(sys.argv[1], "ab", buffering=0) as file:
    print("writing", flush=True)
    while True:
        file.write(b"x")
"""


def test_a_file_that_is_being_written_fails_until_it_is_whole(folder: Path) -> None:
    growing = folder / "growing.md"
    growing.write_bytes(b"x" * 30_000_000)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, growing], stdout=subprocess.PIPE)
    assert writer.stdout
    writer.stdout.readline()
    for _ in range(50):  # the writer may rest while a busy machine reads
        during = scan_folder(folder, FileLimits())
        if during.failed:
            break
    writer.kill()
    writer.communicate()
    assert "was written to while it was being read" in during.failed["growing.md"]
    assert not during.lacks("growing.md")
    assert "growing.md" in scan_folder(folder, FileLimits()).hashes


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder with a part that this process may not list; a root process becomes `nobody` meanwhile."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        for name in ("open", "closed"):
            (folder / name).mkdir()
            (folder / name / "a.md").write_text(name)
        (folder / "closed").chmod(0o000)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        yield folder
        if root:
            os.seteuid(0)
        (folder / "closed").chmod(0o755)


def test_what_cannot_be_listed_fails_and_hides_its_files(closed: Path) -> None:
    found = scan_folder(closed, LIMITS)
    assert found.hashes.keys() == {"open/a.md"}
    assert found.unlisted == ("closed",)
    assert "cannot be listed (Permission denied)" in found.failed[str(closed / "closed")]
    assert [name for name in ("closed/a.md", "open/b.md", "closed.md") if found.lacks(name)] == [
        "open/b.md",
        "closed.md",
    ]
    with pytest.raises(InvalidInput, match=r"cannot be listed .* Nothing was changed"):
        scan_folder(closed / "closed", LIMITS)


def test_what_is_no_folder_is_refused(folder: Path) -> None:
    for path in (folder / "missing", folder / "a.md"):
        with pytest.raises(InvalidInput, match="is not a folder; is its disk mounted"):
            scan_folder(path, LIMITS)


def test_a_client_s_folder_has_no_sources() -> None:
    assert FolderScan({"a.md": "x"}).lacks("b.md")
    assert not FolderScan({"a.md": "x"}).lacks("a.md")
