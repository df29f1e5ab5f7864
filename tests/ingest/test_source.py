"""Sources are found below paths, by relative name."""

from pathlib import Path

from ingest.source import find_sources


def test_sources_are_found_by_relative_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.md", "deep/a.txt", ".hidden.md", "deep/program.exe"):
        (tmp_path / name).write_text(name)
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    sources, left = find_sources([tmp_path, tmp_path / "deep" / "program.exe", tmp_path / "missing.txt"])
    assert [(source.name, source.read()) for source in sources] == [
        ("b.md", b"b.md"),
        ("deep/a.txt", b"deep/a.txt"),
        ("program.exe", b"deep/program.exe"),  # named, so it is tried
    ]
    assert sorted((outcome.name, outcome.state) for outcome in left) == [
        ("deep/program.exe", "skipped"),
        ("gone.txt", "failed"),
        ("missing.txt", "failed"),
    ]


def test_a_path_that_cannot_be_is_reported_and_the_others_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "round.txt").symlink_to(tmp_path / "round.txt")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "b.txt").write_text("hidden")
    long = tmp_path / ("x" * 300)
    sources, left = find_sources([long, long / "below.txt", tmp_path / "a.txt" / "b.txt", tmp_path])
    assert [source.name for source in sources] == ["a.txt"]
    assert [outcome.state for outcome in left] == ["failed"] * 4
    reasons = [outcome.error or "" for outcome in left]
    assert "File name too long" in reasons[0]
    assert "does not exist" in reasons[2]
    assert "symbolic links" in reasons[3]


def test_the_same_name_twice_is_reported(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(folder)
    sources, left = find_sources([tmp_path / "one", tmp_path / "two"])
    assert [source.read() for source in sources] == [b"one"]
    assert left[0].state == "failed"
    assert (left[0].error or "").startswith(
        f"Two files have the name 'a.txt': {tmp_path}/one/a.txt, which was taken, and {tmp_path}/two/a.txt, which was"
        " not. Ingest the folder above both"
    )
    both, left = find_sources([tmp_path])
    assert [source.name for source in both] == ["one/a.txt", "two/a.txt"]
    again, left = find_sources([tmp_path / "one", tmp_path / "one" / "a.txt"])
    assert (len(again), left) == (1, [])
