"""Turn what the question path returns into JSON-able dictionaries, the same for HTTP and command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ingest.omissions import omissions_text
from rag.types import Answer, Citation, Conflict, Hit, Ledger, Trace

if TYPE_CHECKING:
    from ingest.sync.plan import Report
    from rag.pipeline import SearchResult
    from rag.store.documents import DocumentInfo
    from rag.store.jobs import Job

_SPANS = ("trimmed", "evidence", "context")  # rankings of parts of chunks; the others are of whole chunks


def search_to_json(found: SearchResult) -> dict[str, Any]:
    """Return {"hits": [...], "timings_ms": {..., "total"}}, hits best first."""
    return {"hits": [hit_to_json(hit) for hit in found.hits], "timings_ms": _timings(found.trace)}


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """Return an answer with its citations, or a refusal with its reason and the nearest hits."""
    return {
        "answer": answer.text,
        "answerable": answer.answerable,
        "question": answer.trace.question,
        "strategy": answer.trace.strategy,
        "confidence": round(answer.confidence, 4),
        "reason": answer.reason,
        "notes": list(answer.trace.remarks),
        "recalled": [asdict(one) for one in answer.recalled],
        "facts": [asdict(fact) for fact in answer.facts],
        "citations": [citation_to_json(citation) for citation in answer.citations],
        "conflicts": [conflict_to_json(conflict) for conflict in answer.conflicts],
        "nearest": [hit_to_json(hit) for hit in answer.nearest],
        "tokens": _tokens(answer.ledger),
        "timings_ms": _timings(answer.trace),
    }


def job_to_json(job: Job, note: str = "") -> dict[str, Any]:
    """Return a job, how far it is, what became of each file, and what else whoever uploaded should know."""
    fields = ("id", "corpus", "state", "created", "finished", "error", "done", "files_per_s", "left_s")
    files = [
        {
            "name": file.name,
            "state": file.state,
            "error": file.error,
            "omissions": [asdict(one) for one in file.omissions],
            "note": omissions_text(file.omissions),
        }
        for file in job.files
    ]
    return {
        **{field: getattr(job, field) for field in fields},
        "total": len(files),
        "note": note,
        "files": files,
    }


def document_to_json(info: DocumentInfo) -> dict[str, Any]:
    """Return what a listing says of a document; `note` says in words what `omissions` lists."""
    return {**asdict(info), "note": omissions_text(info.omissions)}


def sync_to_json(report: Report) -> dict[str, Any]:
    """Return what a sync did: names of what came, changed, moved and left, and how many stayed as they are."""
    plan = report.plan
    return {
        "corpus": report.corpus,
        "added": list(plan.added),
        "modified": list(plan.modified),
        "moved": [list(move) for move in plan.moved],
        "deleted": list(plan.deleted),
        "unchanged": len(plan.unchanged),
        "failed": dict(plan.failed),
        "refused": plan.refusal or None,
        "seconds": round(report.seconds, 2),
    }


def sync_to_line(report: Report) -> str:
    """Return `handbook: 3 added, 1 modified, 0 moved, 2 deleted, 9,994 unchanged, 0 failed in 2.1 s`."""
    states = ("added", "modified", "moved", "deleted", "unchanged", "failed")
    counts = ", ".join(f"{len(getattr(report.plan, state)):,} {state}" for state in states)
    return f"{report.corpus}: {counts} in {report.seconds:.1f} s"


def hit_to_json(hit: Hit) -> dict[str, Any]:
    """Return a hit's document, span in code points, page (from 1, or null), text and score."""
    return {
        "document": hit.chunk.document,
        "start": hit.start,
        "end": hit.end,
        "page": hit.page,
        "text": hit.text,
        "score": float(hit.score),
    }


def citation_to_json(citation: Citation) -> dict[str, Any]:
    """Return a citation; `answer_start` and `answer_end` bound the words of the answer that it supports."""
    fields = ("document", "version", "page", "start", "end", "quote", "verified", "label")
    told = {field: getattr(citation, field) for field in (*fields, "answer_start", "answer_end")}
    return {**told, "boxes": [asdict(box) for box in citation.boxes]}


def conflict_to_json(conflict: Conflict) -> dict[str, Any]:
    """Return a conflict, its citations the newest first; their `answer_start` and `answer_end` lie in its `text`."""
    citations = [citation_to_json(citation) for citation in conflict.citations]
    return {"kind": conflict.kind, "text": conflict.text, "citations": citations}


def explain_to_json(trace: Trace) -> dict[str, Any]:
    """Return every candidate chunk with its rank and score in each stage, its spans, and why it was dropped.

    A candidate that a stage did not rank has null there; ranks count from 1. Its `spans` are the parts
    of it that were kept, which trimming may have made several; `position` is a span's place in the
    context, in reading order, and null where it did not get into it.
    """
    stages = {stage: hits for stage, hits in trace.rankings.items() if stage not in _SPANS}
    standings = {stage: _standings(hits) for stage, hits in stages.items()}
    spans = _spans(trace)
    # In the order of the last stage.
    every = [hit for hits in reversed(list(trace.rankings.values())) for hit in hits]
    chunks = {hit.chunk.id: hit.chunk for hit in every}
    return {
        "question": trace.question,
        "notes": [*trace.notes, *trace.remarks],
        "candidates": [
            {
                **{field: getattr(chunk, field) for field in ("document", "version", "page", "start", "end")},
                **{stage: standing.get(identity) for stage, standing in standings.items()},
                "spans": spans.get(identity, []),
                "dropped": trace.dropped.get(identity),
            }
            for identity, chunk in chunks.items()
        ],
    }


def _standings(hits: Sequence[Hit]) -> dict[int, dict[str, Any]]:
    return {hit.chunk.id: {"rank": rank, "score": float(hit.score)} for rank, hit in enumerate(hits, 1)}


def _spans(trace: Trace) -> dict[int, list[dict[str, Any]]]:
    """Return the spans of each chunk, best first, as the first ranking of spans scores them."""
    context = trace.rankings.get("context", ())
    tokens = trace.tokens or (None,) * len(context)
    placed = {
        _place(hit): (at, count) for at, (hit, count) in enumerate(zip(context, tokens, strict=True), 1)
    }
    found: dict[tuple[int, int, int], dict[str, Any]] = {}
    for stage in _SPANS:
        for rank, hit in enumerate(trace.rankings.get(stage, ()), 1):
            position, count = placed.get(_place(hit), (None, None))
            span = {"start": hit.start, "end": hit.end, "rank": rank, "score": float(hit.score)}
            found.setdefault(_place(hit), span | {"position": position, "tokens": count})
    by_chunk: dict[int, list[dict[str, Any]]] = {}
    for (identity, _, _), span in found.items():
        by_chunk.setdefault(identity, []).append(span)
    return by_chunk


def _place(hit: Hit) -> tuple[int, int, int]:
    return hit.chunk.id, hit.start, hit.end


def _tokens(ledger: Ledger) -> dict[str, int]:
    fields = ("budget", "system", "tools", "memory", "evidence", "question", "used")
    return {field: getattr(ledger, field) for field in fields}


def _timings(trace: Trace) -> dict[str, float]:
    return {stage: round(ms, 3) for stage, ms in trace.timings_ms.items()}
