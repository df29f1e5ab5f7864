"""Choose among the edits of a follow-up question with a small model, kept in `rag/pack/rewrites.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from rag.errors import ModelError
from rag.followup.edits import Edit, edits_of
from rag.followup.features import FEATURES, edit_features
from rag.followup.mentions import Transcript

REWRITES_FILE = Path(__file__).parents[1] / "pack" / "rewrites.json"


@dataclass(frozen=True, slots=True)
class EditScorer:
    """A network of one hidden layer over the features of an edit.

    Args:
        hidden: weights (n_features, n_hidden) and bias (n_hidden,).
        out: weights (n_hidden,) of the score.
        margin: how far an edit has to score above leaving the question alone.
    """

    hidden: np.ndarray
    bias: np.ndarray
    out: np.ndarray
    margin: float

    def score(self, features: np.ndarray) -> np.ndarray:
        """Return the scores (n_edits,) of edits with features (n_edits, n_features); higher is better."""
        scores: np.ndarray = np.tanh(features @ self.hidden + self.bias) @ self.out
        return scores

    def best_edit(self, question: str, transcript: Transcript) -> Edit | None:
        """Return the edit that completes a question best; None where none clearly beats leaving it alone."""
        edits = edits_of(question, transcript)
        scores = self.score(edit_features(question, transcript, edits))
        best = int(scores.argmax())
        return edits[best] if best and scores[best] > scores[0] + self.margin else None


@cache
def load_scorer(path: Path = REWRITES_FILE) -> EditScorer:
    """Load the model of the pack.

    Raises:
        ModelError: if the file is missing or damaged.
    """
    try:
        pack = json.loads(path.read_text(encoding="utf-8"))
        hidden = np.array(pack["hidden"], np.float32)
        scorer = EditScorer(
            hidden,
            np.array(pack["bias"], np.float32),
            np.array(pack["out"], np.float32),
            float(pack["margin"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read ({error}); restore it from the release.") from error
    if hidden.shape[:1] != (FEATURES,):
        raise ModelError(
            f"{path} has {len(hidden)} features, this version {FEATURES}; run `python -m training.rewrites`."
        )
    return scorer
