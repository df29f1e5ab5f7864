"""The demonstration, as `make demo` runs it; it notices what is wrong."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import demo


def test_the_demonstration_answers_as_expected() -> None:
    command = [sys.executable, "-m", "api.demo"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nQ: ") == len(demo.ASKED)
    assert "No answer." in done.stdout.split("\nQ: ")[-1]


TEXT = "The lamp burns whale oil."
CITED = {"document": "a b.md", "version": 1, "page": None, "start": 0, "end": 25, "quote": TEXT, "label": 1}
GOOD = {
    "answer": f"{TEXT} [1]",
    "answerable": True,
    "confidence": 0.9,
    "reason": "",
    "timings_ms": {"total": 5.0},
}


@pytest.mark.parametrize(
    ("citation", "true"),
    [
        (CITED | {"verified": True}, True),
        (CITED | {"verified": False}, False),
        (CITED | {"verified": True, "end": 20}, False),
    ],
)
def test_a_false_citation_is_noticed(citation: dict[str, Any], true: bool) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, json=GOOD | {"citations": [citation]} if request.method == "POST" else {"text": TEXT}
        )

    with httpx.Client(base_url="http://x", transport=httpx.MockTransport(respond)) as client:
        assert demo._ask(client, {"question": "What does the lamp burn?"}) == true
