"""Fit the weights of the extractive answer: `python -m training.answers`, about four minutes on two cores.

Logistic regressions over the five hits of the real `search`, written to `rag/pack/answers.json`: which sentence
answers, and whether the answer is right (both in rag/answer/relevance.py), the latter with and without the reader; all
of them for sentences that the evidence model reads, and for those that it does not. Only data whose licence allows
shipping weights is used; half of Natural Questions is held out for measuring. Confidence is fitted on data that the
reader was not trained on, since the reader is overconfident on its training data. A sentence counts as answering if it
contains the expected words, which is lenient, so the figures are for comparison, not quotation.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from eval.datasets import held_back, records
from eval.trial import CORPUS, commit, shared_embedder, text_sources, trial
from rag.answer import relevance
from rag.answer.codes import absent_names
from rag.answer.extractive import choose_sentences
from rag.answer.relevance import Signs, Weighed
from rag.answer.sentences import answering_sentences
from rag.models.evidence import load_evidence_model
from rag.models.reader import load_reader
from rag.models.trunk import trunk_fingerprint
from rag.recipe import TRUNK
from rag.types import Evidence

SEED = 5
ARTICLES, ARTICLE_QUESTIONS = 40, 450  # SQuAD 2.0 over whole Wikipedia articles, unanswerable ones included
PASSAGES, PASSAGE_QUESTIONS = 400, 300  # Natural Questions: for half of the questions the passage is absent
MOST_SENTENCES, MOST_WORDS = 3, 120
LICENCES = {
    "reading/squad-train": "CC BY-SA 4.0",
    "reading/squad-dev": "CC BY-SA 4.0",
    "reading/nq-train": "MIT / CC BY-SA 3.0",
    "documents/wikipedia-490": "CC BY-SA",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that went through the question path: its sentences, and which of them contain the answer."""

    question: str
    among_passages: bool
    answerable: bool
    weighed: list[Weighed]  # features only; log_odds are set after the weights are fitted
    right: np.ndarray  # (n_sentences,) bool
    signs: Signs  # without the reader's


def main() -> None:
    """Collect, fit, report and write."""
    passages = list(_ask(*_passages(), among_passages=True))
    learnt, tried = list(_ask(*_articles("squad-train"))), [*_ask(*_articles("squad-dev")), *passages]
    pack = {
        "read": _fitted([*learnt, *passages], tried, relevance.READ_FEATURES),
        "unread": _fitted([*learnt, *passages], tried, relevance.UNREAD_FEATURES),
        "made": {"data": LICENCES, "seed": SEED, "commit": commit(), "trunk": trunk_fingerprint()},
    }
    relevance.ANSWERS_FILE.write_text(json.dumps(pack, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(pack, indent=1))


def _fitted(learnt: Sequence[Asked], tried: Sequence[Asked], names: Sequence[str]) -> dict[str, object]:
    """Fit the sentences' weights on the first questions and the confidence on the second.

    Args:
        names: of the sentences' features.
    """
    columns = slice(0, len(names)) if tuple(names) == relevance.READ_FEATURES else slice(-len(names), None)
    learnt, tried = ([_only(one, columns) for one in asked] for asked in (learnt, tried))
    sentence = _fit_sentences(learnt)
    asked = [_reweigh(one, sentence) for one in tried]
    right = np.array([_is_right(one) for one in asked])
    rows = _confidence_features(asked)  # the last feature is the reader's
    known = (*names[:2], *relevance.CONFIDENCE_FEATURES)
    return {
        "sentence": _stated(names, sentence),
        "confidence": _stated(known[:-1], _fit_confidence(rows[:, :-1], right)),
        "confidence with a reader": _stated(known, _fit_confidence(rows, right)),
        "figures": _figures(asked, rows[:, :-1], right),
        "figures with a reader": _figures(asked, rows, right),
    }


def _only(one: Asked, columns: slice) -> Asked:
    """Return a question with some of its sentences' features."""
    return replace(one, weighed=[replace(each, features=each.features[columns]) for each in one.weighed])


def _articles(part: str) -> tuple[dict[str, str], list[tuple[str, list[str], bool]]]:
    rng = random.Random(SEED)
    entries = list(records(f"reading/{part}.jsonl.gz"))
    texts = {
        entry["title"].replace("_", " "): entry["text"]
        for entry in records("documents/wikipedia-490.jsonl.gz")
    }
    groups = sorted({entry["group"].replace("_", " ") for entry in entries} & set(texts))
    chosen = set(rng.sample(groups, min(ARTICLES, len(groups))))  # squad-dev covers only about five
    chosen |= set(rng.sample(sorted(set(texts) - chosen), ARTICLES - len(chosen)))
    questions = [_question(entry) for entry in entries if entry["group"].replace("_", " ") in chosen]
    return {f"{title}.md": texts[title] for title in sorted(chosen)}, rng.sample(questions, ARTICLE_QUESTIONS)


def _passages() -> tuple[dict[str, str], list[tuple[str, list[str], bool]]]:
    entries = [e for e in records("reading/nq-train.jsonl.gz") if not held_back(e["question"])]
    random.Random(SEED).shuffle(entries)
    half = PASSAGE_QUESTIONS // 2
    texts = {f"{number}.txt": entry["context"] for number, entry in enumerate(entries[:PASSAGES])}
    absent: list[tuple[str, list[str], bool]] = [
        (entry["question"], [], False) for entry in entries[PASSAGES : PASSAGES + half]
    ]
    return texts, [*map(_question, entries[:half]), *absent]


def _question(entry: dict[str, object]) -> tuple[str, list[str], bool]:
    answers = [str(answer["text"]) for answer in entry["answers"]]  # type: ignore[attr-defined]
    return str(entry["question"]), answers, bool(entry["answerable"])


def _ask(
    texts: dict[str, str], questions: Sequence[tuple[str, list[str], bool]], *, among_passages: bool = False
) -> Iterator[Asked]:
    evidence = load_evidence_model()
    with trial(text_sources(texts), {"compressor": "none", "reader": "none"}) as made:
        embedder = shared_embedder(TRUNK)
        for question, answers, answerable in questions:
            hits = made.pipeline.search(CORPUS, question).hits
            pieces = [Evidence(label, hit, 0) for label, hit in enumerate(hits, 1)]
            if sentences := answering_sentences(pieces):
                features = np.concatenate(
                    [
                        relevance.read_features(question, sentences, evidence),
                        relevance.unread_features(question, sentences, embedder),
                    ],
                    axis=1,
                )
                wanted = [" ".join(answer.casefold().split()) for answer in answers] if answerable else []
                held = [any(w in " ".join(s.text.casefold().split()) for w in wanted) for s in sentences]
                weighed = [Weighed(s, row, 0.0) for s, row in zip(sentences, features, strict=True)]
                nearest = relevance.largest_maxsim(question, pieces, embedder)
                signs = Signs(nearest, len(absent_names(question, pieces)))
                yield Asked(question, among_passages, answerable, weighed, np.array(held), signs)


def _fit_sentences(asked: Sequence[Asked]) -> LogisticRegression:
    useful = [one for one in asked if one.right.any()]
    rows = np.concatenate([[w.features for w in one.weighed] for one in useful])
    return LogisticRegression(max_iter=2000).fit(rows, np.concatenate([one.right for one in useful]))


def _reweigh(one: Asked, model: LogisticRegression) -> Asked:
    odds = model.decision_function(np.array([w.features for w in one.weighed]))
    weighed = [Weighed(w.sentence, w.features, float(o)) for w, o in zip(one.weighed, odds, strict=True)]
    return replace(one, weighed=weighed)


def _confidence_features(asked: Sequence[Asked]) -> np.ndarray:
    """Return (n_questions, 2 + len(CONFIDENCE_FEATURES)), after reading the best sentence's evidence for each."""
    reader, rows = load_reader(), []
    for one in asked:
        best = max(one.weighed, key=lambda w: w.log_odds).sentence
        here = 1 - reader.read(one.question, best.evidence.hit.text).no_answer
        rows.append(relevance.confidence_features(one.weighed, replace(one.signs, here=here)))
    return np.array(rows)


def _fit_confidence(rows: np.ndarray, right: np.ndarray) -> LogisticRegression:
    # hardly regularised: the features have very different ranges, and are few compared with the questions
    return LogisticRegression(C=1e3, max_iter=5000).fit(rows, right)


def _is_right(one: Asked) -> bool:
    right = {id(w.sentence) for w, held in zip(one.weighed, one.right, strict=True) if held}
    chosen = choose_sentences(one.question, one.weighed, sentences=MOST_SENTENCES, words=MOST_WORDS)
    return any(id(sentence) in right for sentence in chosen)


def _figures(asked: Sequence[Asked], rows: np.ndarray, right: np.ndarray) -> dict[str, object]:
    """Return development figures. They are of the fit itself, so a little flattering, except for the three folds."""
    answerable = np.array([one.answerable for one in asked])
    folds = np.arange(len(asked)) % 3
    probabilities = np.zeros(len(asked))
    for fold in range(3):
        model = _fit_confidence(rows[folds != fold], right[folds != fold])
        probabilities[folds == fold] = model.predict_proba(rows[folds == fold])[:, 1]
    passages = np.array([one.among_passages for one in asked])
    return {
        "questions": len(asked),
        "right among answerable": round(float(right[answerable].mean()), 3),
        "AUC of right": round(float(roc_auc_score(right, probabilities)), 3),
        "AUC of answerable, passages": round(
            float(roc_auc_score(answerable[passages], probabilities[passages])), 3
        ),
        "balanced accuracy of refusal, passages, at": {
            str(t): round(float(_balanced(answerable[passages], probabilities[passages] >= t)), 3)
            for t in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
        },
        "calibration, by fifths": _calibration(right, probabilities),
    }


def _calibration(right: np.ndarray, probabilities: np.ndarray) -> list[list[float]]:
    """Return [mean probability, share right] for each fifth of the questions, by probability."""
    fifths = np.array_split(np.argsort(probabilities), 5)
    return [[round(float(probabilities[f].mean()), 2), round(float(right[f].mean()), 2)] for f in fifths]


def _balanced(truth: np.ndarray, said: np.ndarray) -> float:
    return float((said[truth].mean() + (~said[~truth]).mean()) / 2)


def _stated(features: Sequence[str], model: LogisticRegression) -> dict[str, object]:
    weights = [round(float(weight), 4) for weight in model.coef_[0]]
    return {"features": list(features), "weights": weights, "bias": round(float(model.intercept_[0]), 4)}


if __name__ == "__main__":
    main()
