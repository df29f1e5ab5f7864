"""Pages a second without OCR, on one core in a process of its own; memory; bytes of boxes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from eval.benchmarks.filings.files import filings, other_pdfs

_PROGRAM = """
import json, re, sys, time
from pathlib import Path
from ingest.load import load
paths = [Path(line) for line in sys.stdin.read().splitlines()]
load(paths[0].read_bytes(), paths[0].name)  # libraries and word lists
pages = boxes = characters = 0
started = time.process_time()
for path in paths:
    try:
        loaded = load(path.read_bytes(), path.name)
    except ValueError:
        continue
    pages, boxes, characters = pages + len(loaded.pages), boxes + len(loaded.boxes), characters + len(loaded.text)
seconds = time.process_time() - started
peak = re.search(r"VmHWM:\\\\s+(\\\\d+)", Path("/proc/self/status").read_text())
print(json.dumps({
    "files": len(paths), "pages": pages, "pages_per_s": round(pages / seconds, 1),
    "box_bytes_per_page": round(boxes / pages), "characters_per_page": round(characters / pages),
    "peak_mb": int(peak[1]) // 1024 if peak else 0,
}))
"""


def measure() -> dict[str, Any]:
    """Measure the ten filings, and the other public PDFs."""
    return {"filings": _measure(filings()), "other PDFs": _measure(other_pdfs())}


def _measure(paths: list[Path]) -> dict[str, Any]:
    if not paths:
        return {}
    program = _PROGRAM.replace("\\\\", "\\")
    listed = "\n".join(map(str, paths))
    done = subprocess.run(
        [sys.executable, "-c", program], input=listed, capture_output=True, text=True, check=True
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
