"""How well a judge distinguishes supported statements from others, against word overlap and the trunk's cosine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eval.datasets import held_back, records
from eval.metrics import balanced_accuracy, best_balanced_accuracy, words_found
from rag.answer.writer import stands
from rag.models.embed import Embedder
from rag.models.judge import EvidencePair, Judge

# Share of the premises; training leaves them out.
FEVER_SHARE = 0.1


def attributionbench() -> Iterator[tuple[EvidencePair, bool]]:
    """Yield claims with all their references."""
    for entry in records("entailment/attributionbench-dev.jsonl.gz"):
        yield ("\n\n".join(entry["references"]), entry["claim"]), entry["supported"]


def wice() -> Iterator[tuple[EvidencePair, bool]]:
    """Yield claims with all their evidence; partial support counts as none."""
    for entry in records("entailment/wice-dev.jsonl.gz"):
        yield ("\n".join(entry["evidence"]), entry["claim"]), entry["label"] == "supported"


def fever() -> Iterator[tuple[EvidencePair, bool]]:
    """Yield the tenth of the pairs held out of training."""
    for entry in records("entailment/fever-dev.jsonl.gz"):
        if held_back(entry["premise"], FEVER_SHARE):
            yield (entry["premise"], entry["hypothesis"]), entry["supported"]


def judged(
    judge: Judge, embedder: Embedder, labelled: Sequence[tuple[EvidencePair, bool]]
) -> dict[str, float]:
    """Return the judge's figures at 0.5, and those of two baselines at their best thresholds."""
    pairs = [pair for pair, _ in labelled]
    truth = np.array([label for _, label in labelled])
    supported = judge.support(pairs)
    shown = np.array([stands(p, said, read) for p, (read, said) in zip(supported, pairs, strict=True)])
    figures = {
        "pairs": len(pairs),
        "of a written answer's sentences that stand, supported": float(truth[shown].mean())
        if shown.any()
        else 0.0,
        "of those that are supported, stand": float(shown[truth].mean()),
        "balanced accuracy": balanced_accuracy(truth, supported >= 0.5),
        "accuracy": float(((supported >= 0.5) == truth).mean()),
        "AUC": area_under_curve(truth, supported),
        "calibration error": calibration_error(truth, supported),
    }
    words = np.array([words_found(*pair) for pair in pairs])
    for name, scores in (("words found", words), ("cosine", _cosines(embedder, pairs))):
        figures[f"{name}: best balanced accuracy"] = best_balanced_accuracy(truth, scores)
        figures[f"{name}: AUC"] = area_under_curve(truth, scores)
    return {name: round(value, 4) for name, value in figures.items()}


def area_under_curve(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return how often a true pair scores above a false one, ties counting half."""
    true, false = scores[truth][:, None], scores[~truth][None, :]
    return float((true > false).mean() + (true == false).mean() / 2)


def calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Return the mean distance between probability and share of true pairs, over tenths of the scale."""
    tenth = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [abs(probabilities[tenth == b].sum() - truth[tenth == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(truth))


def _cosines(embedder: Embedder, pairs: Sequence[EvidencePair]) -> np.ndarray:
    premises = embedder.encode([premise for premise, _ in pairs])
    cosines: np.ndarray = (premises * embedder.encode([statement for _, statement in pairs])).sum(axis=1)
    return cosines
