"""The result of a command: its exit code and its output."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Ibid = Callable[..., Done]


def ingest_texts(ibid: Ibid, folder: Path, texts: Mapping[str, str], corpus: str) -> None:
    """Write texts by name into a new folder, and ingest it."""
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert ibid("ingest", folder, "--corpus", corpus).code == 0
