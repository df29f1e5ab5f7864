"""Write the tables of README and `docs/` from the newest results: `python -m eval.report.tables`.

A table is between `<!-- table NAME -->` and `<!-- end -->`; only the text between these marks is rewritten.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.report import yardstick
from eval.report.markdown import ablation_markdown, difference_cell, markdown_table
from eval.trial import RESULTS
from rag.models import pack
from rag.settings import describe_settings

REPOSITORY = Path(__file__).parents[2]
SHORTER_SHOWN = ("answer in prompt", "gold words in prompt", "gold stands", "right", "gold cited")
TABLE = re.compile(r"(<!-- table (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Rewrite every table of README and of each page in `docs/`."""
    for page in (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        page.write_text(TABLE.sub(_filled, text), encoding="utf-8")


def newest(name: str) -> dict[str, Any]:
    """Return the newest result of a measurement, committed or not; raises what `newest_path` raises."""
    result: dict[str, Any] = json.loads(newest_path(name).read_text(encoding="utf-8"))
    return result


def newest_path(name: str) -> Path:
    """Return the file of the newest result of a measurement, committed or not.

    Raises:
        FileNotFoundError: if there is none.
    """
    paths = [
        path for path in RESULTS.glob(f"{name}-*.json") if re.fullmatch(rf"{name}-\w+(-changed)?", path.stem)
    ]
    if not paths:
        raise FileNotFoundError(f"No {RESULTS.name}/{name}-*.json; run `python -m eval.bench {name}`.")
    return max(paths, key=_when)


def _when(path: Path) -> tuple[int, float]:
    """Order results by commit time; uncommitted ones come last, by file time."""
    log = subprocess.run(
        ["git", "log", "-1", "--format=%ct", "--", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return int(log.stdout.strip() or 2**40), path.stat().st_mtime


def _filled(match: re.Match[str]) -> str:
    name = match.group("name")
    if name not in TABLES:
        raise KeyError(f"A page names the table {name!r}; the tables are {', '.join(TABLES)}.")
    try:
        return match.group(1) + TABLES[name]() + match.group(3)
    except FileNotFoundError as missing:
        print(f"{name}: unchanged. {missing}")
        return match.group(0)


def settings_table() -> str:
    """Return a table of every setting: group, default, accepted values and meaning."""
    rows = [
        (f"`{name}`", f"`[{group}]`", f"`{default}`" if default else "", accepted, meaning)
        for group, name, default, accepted, meaning in describe_settings()
    ]
    return markdown_table(("setting", "group in `ibid.toml`", "default", "accepted", "meaning"), rows)


def _headline() -> str:
    """Return README's few figures; docs/benchmarks.md has the full tables."""
    chroma, handbook = newest("chroma")["figures"], newest("handbook")["figures"]
    peer = next(row for row in newest("peers")["figures"] if "default" in row["system"])
    scale, sync = newest("scale-100000")["figures"], newest("sync")["figures"]
    rate = newest("ingest-rate")["figures"]["100000"]
    rows = (
        (
            "Chroma's chunking evaluation, 5 hits: recall, IoU",
            f"{chroma['recall']} %, {chroma['iou']} % "
            f"(llama-index's defaults {peer['recall']} %, {peer['iou']} %)",
        ),
        ("a search over it, all stages, two cores", f"{chroma['p50_ms']:.0f} ms at the median"),
        ("a question over 100,000 chunks, by HTTP", f"{scale['ask_p50_ms']:.0f} ms at the median"),
        (
            "ingestion",
            f"{rate['chunks_per_s_after_start']:.0f} chunks a second, "
            f"{100 * rate['share_of_limit_after_start']:.0f} % of what the embedder alone does",
        ),
        ("an unchanged folder of 10,000 files, `ibid sync`", f"{sync['unchanged_s']:.1f} s"),
        (
            f"the handbook's {handbook['answerable questions']} answerable questions: evidence found, answered right",
            f"{100 * handbook['gold evidence in the context']:.0f} %, "
            f"{100 * handbook['answered with the right words']:.0f} %",
        ),
    )
    return markdown_table(("measured", "figure"), rows)


def _chroma() -> str:
    cells = newest("chroma")["figures"]
    return markdown_table(("recall", "precision", "IoU", "p50 ms", "p95 ms"), [
        (cells["recall"], cells["precision"], cells["iou"], cells["p50_ms"], cells["p95_ms"])
    ])  # fmt: skip


def _chroma_stages() -> str:
    rows = newest("chroma-stages")["figures"]
    header = ("chunker", "stages", "recall", "precision", "IoU", "p50 ms")
    return markdown_table(
        header,
        [[row[key] for key in ("chunker", "stages", "recall", "precision", "iou", "p50_ms")] for row in rows],
    )


def _peers() -> str:
    keys = ("system", "ingest_s", "p50_ms", "p95_ms", "recall", "precision", "iou")
    header = ("system", "ingest s", "question p50 ms", "p95 ms", "recall", "precision", "IoU")
    return markdown_table(header, [[row[key] for key in keys] for row in newest("peers")["figures"]])


def _pack() -> str:
    rows = [
        (job, what, value)
        for job in pack.shipped()
        for what, value in pack.described(job).get("figures", {}).items()
    ]
    return markdown_table(("job", "measure", "figure"), rows)


def _named_figures(name: str) -> Callable[[], str]:
    def table() -> str:
        figures: Mapping[str, Any] = newest(name)["figures"]
        shown = [
            (key.replace("_", " "), _cell(value))
            for key, value in figures.items()
            if key not in yardstick.OF_EACH_QUESTION
        ]
        return markdown_table(("measure", "figure"), shown)

    return table


def _lexical() -> str:
    figures = newest("lexical")["figures"]
    columns = ("p50_ms", "p95_ms", "build_s", "add_one_visible_ms")
    rows = [(engine, *(row.get(column, "") for column in columns)) for engine, row in figures.items()]
    return markdown_table(("engine", "p50 ms", "p95 ms", "build s", "add one, visible, ms"), rows)


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _scale() -> str:
    small, large = newest("scale-10000")["figures"], newest("scale-100000")["figures"]
    rows = [(key.replace("_", " "), small[key], large[key]) for key in small]
    return markdown_table(("measure", "10,000", "100,000"), rows)


def _ingest_rate() -> str:
    sizes = newest("ingest-rate")["figures"]
    measures = next(iter(sizes.values()))
    rows = [
        (key.replace("_", " "), *("" if row[key] is None else _cell(row[key]) for row in sizes.values()))
        for key in measures
    ]
    return markdown_table(("measure", *(f"{int(size):,}" for size in sizes)), rows)


def _gate() -> str:
    figures = newest("gate")["figures"]
    rows = [(fault, "; ".join(seen) or "not caught") for fault, seen in figures["caught by"].items()]
    passed = f"{figures['of them passed']} of {figures['runs without fault']} passed"
    return markdown_table(
        ("planted fault", "caught by"), [*rows, ("none: other orders of ingestion, other questions", passed)]
    )


def _faithfulness() -> str:
    figures = newest("faithfulness")["figures"]["attributionbench-dev"]
    keys = ("claims", "balanced accuracy", "cosine, at its best threshold", "no number")
    return markdown_table(
        ("source", *keys), [(kind, *(row[key] for key in keys)) for kind, row in figures.items()]
    )


def _rewriting() -> str:
    figures = newest("rewriting")["figures"]
    keys = list(next(iter(figures["ways"].values())))
    return markdown_table(("question", *keys), [(way, *row.values()) for way, row in figures["ways"].items()])


def _multiturn() -> str:
    figures = newest("multiturn")["figures"]
    keys = ("tasks", "evidence recall", "answerable or not, balanced accuracy")
    rows = [
        (way, turns, *(row.get(key, "") for key in keys))
        for way in ("as asked", "rewritten")
        for turns, row in figures[way].items()
    ]
    return markdown_table(("question", "turns", *keys), rows)


def _restore() -> str:
    figures = newest("restore")["figures"]
    keys = list(next(iter(figures.values())))
    header = ("set", *(key.replace("_", " ") for key in keys))
    return markdown_table(header, [(name, *row.values()) for name, row in figures.items()])


def _crash() -> str:
    figures = {key: value for key, value in newest("crash")["figures"].items() if key != "examples"}
    return markdown_table(list(figures), [list(figures.values())])


def _ablation(name: str) -> Callable[[], str]:
    def table() -> str:
        return ablation_markdown(newest("ablation")["figures"][name]["variants"])

    return table


def _shorter_evidence() -> str:
    figures = newest("shorter-evidence")["figures"]
    rows = [
        row
        for name, found in figures.items()
        for kind in ("trimmed", "untrimmed")
        for row in shorter_evidence_rows(f"{name}, {kind}", found[kind])
    ]
    header = ("questions", "evidence", "its tokens", *SHORTER_SHOWN, "assemble ms", "total ms")
    return markdown_table(header, rows)


def shorter_evidence_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return the rows of one question set: the means of the first way, and the changes of each other way."""
    return [
        (
            name,
            row["question path"],
            f"{row['means']['evidence tokens']:.0f}",
            *(difference_cell(row, shown, len(rows) - 1) for shown in SHORTER_SHOWN),
            f"{row['assemble ms p50']:.0f}",
            f"{row['ms p50']:.0f}",
        )
        for row in rows
    ]


def _memory() -> str:
    figures = newest("memory")["figures"]
    rows: list[tuple[str, object]] = [
        (name, value) for name, value in figures.items() if isinstance(value, int)
    ]
    known = all(figures["what the third turn stated is known"])
    rows.append(("what the third turn stated is known at the end", "yes" if known else "no"))
    plot = f"![Tokens of each tier over {figures['turns']} turns](../eval/results/{figures['plot']})"
    return markdown_table(("measure", "figure"), rows) + f"\n\n{plot}"


def _first_token() -> str:
    generators = newest("first-token")["figures"]["generators"]
    found = dict.fromkeys(name for row in generators.values() for name in row)
    # the total comes last
    names = sorted(found, key="total, ms".__eq__)
    rows = [(way, *(row.get(name, "") for name in names)) for way, row in generators.items()]
    return markdown_table(("generator", *names), rows)


def _documents() -> str:
    figures = newest("documents")["figures"]
    rows = [(one["case"], one["question"], one["answer_holds"], one["held"]) for one in figures["listed"]]
    counted = f"{figures['answered']} of {figures['questions']} answered, {figures['found']} more found"
    return f"{counted}.\n\n" + markdown_table(("case", "question", "the answer holds", ""), rows)


def _rows() -> str:
    figures = newest("rows")["figures"]
    keys = ("questions", "right", "refused", "another row", "another cell", "absent rows refused")
    return markdown_table(
        ("table", *keys), [(name, *(row[key] for key in keys)) for name, row in figures.items()]
    )


def _pdf_tables() -> str:
    figures = newest("pdf-tables")["figures"]
    keys = ("row", "row, column's lowest name", "row, column's whole name")
    rows = [
        (reader, *(right[key] for key in keys))
        for reader, right in figures.items()
        if isinstance(right, dict)
    ]
    return markdown_table((f"of {figures['cells']} cells", *keys), rows)


def _by_kind(name: str) -> Callable[[], str]:
    def table() -> str:
        figures = newest(name)["figures"]
        measured = list(dict.fromkeys(key for row in figures.values() for key in row))
        rows = [(key, *(row.get(key, "") for row in figures.values())) for key in measured]
        return markdown_table(("", *figures), rows)

    return table


TABLES: Mapping[str, Callable[[], str]] = {
    "headline": _headline,
    "settings": settings_table,
    "chroma": _chroma,
    "chroma-stages": _chroma_stages,
    "pack": _pack,
    "pack-evidence": lambda: yardstick.rows_table(newest("pack-evidence")["figures"], "texts"),
    "gate": _gate,
    "faithfulness": _faithfulness,
    "rewriting": _rewriting,
    "multiturn": _multiturn,
    "ablation-handbook": _ablation("handbook"),
    "ablation-chroma": _ablation("chroma"),
    "shorter-evidence": _shorter_evidence,
    "first-token": _first_token,
    "memory": _memory,
    "restore": _restore,
    "crash": _crash,
    "peers": _peers,
    "nfcorpus": _named_figures("nfcorpus"),
    "handbook": _named_figures("handbook"),
    "documents": _documents,
    "rows": _rows,
    "pdf-tables": _pdf_tables,
    "pdf-joins": _by_kind("pdf-joins"),
    "pdf-speed": _by_kind("pdf-speed"),
    "answers": lambda: yardstick.parts_table(newest("answers")["figures"]),
    "lookups": lambda: yardstick.columns_table(newest("lookups")["figures"]),
    "clapnq": _named_figures("clapnq"),
    "sec10q": _named_figures("sec10q"),
    "own": _named_figures("own"),
    "languages": lambda: yardstick.rows_table(newest("languages")["figures"], "language"),
    "calibration": lambda: yardstick.calibration_table(newest("calibration")["figures"]),
    "lexical": _lexical,
    "sync": _named_figures("sync"),
    "scale": _scale,
    "ingest-load": _named_figures("ingest-load"),
    "ingest-rate": _ingest_rate,
}

if __name__ == "__main__":
    main()
