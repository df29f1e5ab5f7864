"""What `ibid eval` says if only the service is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from eval.extra import PACKAGES, require_extra
from rag.errors import IbidError

# `None` in sys.modules is a package that is not installed.
WITHOUT_EXTRA = f"import sys; sys.modules.update(dict.fromkeys({PACKAGES})); from api.cli import main; main()"
SET = ("--corpus", "sea", "--questions", "sea.jsonl")


def test_what_is_installed_passes() -> None:
    require_extra()


def test_what_is_absent_is_named_with_the_remedy() -> None:
    with pytest.raises(
        IbidError, match=r"needs no_such_one, no_such_two, .*extra `eval`.*`make install-dev`"
    ):
        require_extra(["json", "no_such_one", "no_such_two"])


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["eval", "run", *SET, "--out", "run.json"], 1),
        (["eval", "ablate", *SET], 1),
        (["eval", "report", "run.json", "--html", "run.html"], 1),
        (["eval", "gate", *SET, "--baseline", "run.json"], 2),
        (["generations", "swap", *SET[:2], "--gate", "sea.jsonl"], 2),
    ],
)
def test_a_command_without_it_refuses_before_it_does_anything(
    command: list[str], code: int, tmp_path: Path
) -> None:
    asked = [sys.executable, "-c", WITHOUT_EXTRA, *command]
    root = str(Path(__file__).parents[2])
    ran = subprocess.run(
        asked, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": root, "IBID_HOME": "data"}
    )
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.startswith("ibid: Evaluation needs ir_measures, ragas, instructor, matplotlib, which")
