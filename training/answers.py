"""Fit the weights of the extractive answer: `python -m training.answers`, about six minutes on two cores.

Logistic regressions over the five hits of the real `search`, written to `rag/pack/answers.json`: which sentence
answers, and whether the answer is right (both in rag/answer/relevance.py), the latter with and without the reader; all
of them for sentences that the evidence model reads, and for those that it does not. Only data whose licence allows
shipping weights is used; half of Natural Questions is held out for measuring. Confidence is fitted on data that
neither model was trained on, since they are overconfident on their training data, and on several kinds of documents,
which count alike: what tells one kind's right answers from its wrong ones misleads on another. Of papers and stories it
is the half that the reader's own numbers were not fitted on; of articles it is not. Each kind is also left out in turn.
A sentence counts as answering if it contains the expected words, which is lenient, so the figures are for comparison,
not quotation.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from eval.benchmarks.yardstick.lookups import is_lookup
from eval.benchmarks.yardstick.nearmiss import near_misses
from eval.datasets import held_back, records, table_held_back
from eval.trial import CORPUS, commit, shared_embedder, text_sources, trial
from rag.answer import relevance
from rag.answer.codes import absent_names
from rag.answer.extractive import choose_sentences, read_around
from rag.answer.relevance import Signs, Weighed
from rag.answer.sentences import answering_sentences
from rag.models.evidence import load_evidence_model
from rag.models.reader import load_reader
from rag.models.trunk import trunk_fingerprint
from rag.recipe import TRUNK
from rag.types import Evidence
from training.evidence.tables import as_table

SEED = 5
ARTICLES, ARTICLE_QUESTIONS = 40, 450  # SQuAD 2.0 over whole Wikipedia articles, unanswerable ones included
PASSAGES, PASSAGE_QUESTIONS = 400, 300  # Natural Questions: for half of the questions the passage is absent
# Of each other kind: questions, half as many again whose passage is absent, and the passages they are asked over.
OTHERS, OTHER_PASSAGES = 120, 400
# Questions of papers and of stories, at most, in which a name or number was exchanged, so that nothing answers them.
# They are made as those of `eval.bench answers`, of other sets.
NEAR_MISSES = 60
MOST_SENTENCES, MOST_WORDS = 3, 120
LICENCES = {
    "reading/squad-train": "CC BY-SA 4.0",
    "reading/squad-dev": "CC BY-SA 4.0",
    "reading/nq-train": "MIT / CC BY-SA 3.0",
    "reading/covidqa": "Apache-2.0",
    "reading/duorc-dev": "MIT",
    "tables/wikitablequestions-train": "CC BY-SA 4.0",
    "documents/wikipedia-490": "CC BY-SA",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that went through the question path: its sentences, and which of them contain the answer."""

    question: str
    kind: str  # of its documents
    answerable: bool
    weighed: list[Weighed]  # features only; log_odds are set after the weights are fitted
    right: np.ndarray  # (n_sentences,) bool
    signs: Signs  # without the reader's


def main() -> None:
    """Collect, fit, report and write."""
    kinds = {
        "searches": list(_ask("searches", *_passages())),
        "articles": list(_ask("articles", *_articles("squad-dev"))),
        "papers": list(_ask("papers", *_others("covidqa"))),
        "stories": list(_ask("stories", *_others("duorc-dev"))),
        "tables": list(_ask("tables", *_tables())),
    }
    learnt = [*_ask("articles", *_articles("squad-train")), *kinds["searches"]]
    tried = [one for asked in kinds.values() for one in asked]
    pack = {
        "read": _fitted(learnt, tried, relevance.READ_FEATURES),
        "unread": _fitted(learnt, tried, relevance.UNREAD_FEATURES),
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
    weights = _even([one.kind for one in asked])
    rows = _confidence_features(asked)  # the last feature is the reader's
    known = (*names[:2], relevance.HERE)
    return {
        "sentence": _stated(names, sentence),
        "confidence": _stated(known[:-1], _fit_confidence(rows[:, :-1], right, weights)),
        "confidence with a reader": _stated(known, _fit_confidence(rows, right, weights)),
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


def _others(part: str) -> tuple[dict[str, str], list[tuple[str, list[str], bool]]]:
    """Read half of a set of passages, the reader's numbers being fitted on the other; some questions are near-misses.

    For half as many as have their passage, it is absent.
    """
    entries = [e for e in records(f"reading/{part}.jsonl.gz") if e["answerable"] and held_back(e["group"])]
    random.Random(SEED).shuffle(entries)
    absent = entries[OTHER_PASSAGES : OTHER_PASSAGES + OTHERS // 2]
    hidden = {entry["context"] for entry in absent}
    present = [entry for entry in entries[:OTHER_PASSAGES] if entry["context"] not in hidden]
    texts = {f"{n}.txt": text for n, text in enumerate(dict.fromkeys(e["context"] for e in present))}
    unanswered = [
        *(e["question"] for e in absent),
        *(m.question for m in near_misses(present, NEAR_MISSES, SEED)),
    ]
    return texts, [*map(_question, present[:OTHERS]), *((str(asked), [], False) for asked in unanswered)]


def _tables() -> tuple[dict[str, str], list[tuple[str, list[str], bool]]]:
    """Read look-ups over tables that were kept from training; for every third question the table is absent."""
    texts = dict[str, str]()
    here, absent = list[tuple[str, list[str], bool]](), list[tuple[str, list[str], bool]]()
    kept = [r for r in records("tables/wikitablequestions-train.jsonl.gz") if table_held_back(r["id"])]
    for number, r in enumerate(random.Random(SEED).sample(kept, len(kept))):
        lookups = [q for q in r["questions"] if len(q["cells"]) == 1 and is_lookup(q["question"])]
        if number % 3 == 2:
            absent += [(q["question"], [], False) for q in lookups]
            continue
        table, _ = as_table(r)
        lines = [table.header, ["---"] * len(table.header), *table.rows]
        shown = [
            "| " + " | ".join(" ".join(v.replace("|", "/").split()) for v in row) + " |" for row in lines
        ]
        texts[f"{table.label.replace('/', ' ')[:80]} {number}.md"] = "\n".join([f"# {table.label}\n", *shown])
        here += [(q["question"], list(q["answers"]), True) for q in lookups]
    return texts, here[:OTHERS] + absent[: OTHERS // 2]


def _question(entry: dict[str, object]) -> tuple[str, list[str], bool]:
    answers = [str(answer["text"]) for answer in entry["answers"]]  # type: ignore[attr-defined]
    return str(entry["question"]), answers, bool(entry["answerable"])


def _ask(
    kind: str, texts: dict[str, str], questions: Sequence[tuple[str, list[str], bool]]
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
                signs = Signs(absent_names(question, pieces))
                yield Asked(question, kind, answerable, weighed, np.array(held), signs)


def _fit_sentences(asked: Sequence[Asked]) -> LogisticRegression:
    useful = [one for one in asked if one.right.any()]
    rows = np.concatenate([[w.features for w in one.weighed] for one in useful])
    return LogisticRegression(max_iter=2000).fit(rows, np.concatenate([one.right for one in useful]))


def _reweigh(one: Asked, model: LogisticRegression) -> Asked:
    odds = model.decision_function(np.array([w.features for w in one.weighed]))
    weighed = [Weighed(w.sentence, w.features, float(o)) for w, o in zip(one.weighed, odds, strict=True)]
    return replace(one, weighed=weighed)


def _confidence_features(asked: Sequence[Asked]) -> np.ndarray:
    """Return (n_questions, 3), after reading the best sentence's evidence for each."""
    reader, rows = load_reader(), []
    for one in asked:
        best = max(one.weighed, key=lambda w: w.log_odds).sentence
        [reading] = read_around(one.question, [best], reader).values()
        signs = replace(one.signs, here=1 - reading.no_answer)
        rows.append(relevance.confidence_features(one.weighed, signs))
    return np.array(rows)


def _fit_confidence(rows: np.ndarray, right: np.ndarray, weights: np.ndarray) -> LogisticRegression:
    # hardly regularised: the features have very different ranges, and are few compared with the questions
    return LogisticRegression(C=1e3, max_iter=5000).fit(rows, right, sample_weight=weights)


def _even(kinds: Sequence[str]) -> np.ndarray:
    """Return a weight for each question, so that kinds count alike."""
    counts = Counter(kinds)
    return np.array([len(kinds) / (len(counts) * counts[kind]) for kind in kinds])


def _is_right(one: Asked) -> bool:
    right = {id(w.sentence) for w, held in zip(one.weighed, one.right, strict=True) if held}
    chosen = choose_sentences(one.question, one.weighed, sentences=MOST_SENTENCES, words=MOST_WORDS)
    return any(id(sentence) in right for sentence in chosen)


def _figures(asked: Sequence[Asked], rows: np.ndarray, right: np.ndarray) -> dict[str, object]:
    """Return figures of each kind under a confidence that was fitted on the others."""
    kinds = np.array([one.kind for one in asked])
    answerable = np.array([one.answerable for one in asked])
    figures: dict[str, object] = {}
    for kind in dict.fromkeys(kinds.tolist()):
        own = kinds == kind
        model = _fit_confidence(rows[~own], right[~own], _even(kinds[~own].tolist()))
        chances = model.predict_proba(rows[own])[:, 1]
        figures[kind] = {
            "questions": int(own.sum()),
            "right among answerable": round(float(right[own & answerable].mean()), 3),
            "AUC of right": round(float(roc_auc_score(right[own], chances)), 3),
            "AUC of answerable": round(float(roc_auc_score(answerable[own], chances)), 3),
            "calibration error": round(calibration_error(right[own], chances), 3),
            "refused rightly, wrongly, below": {
                str(t): [
                    round(float((chances[~answerable[own]] < t).mean()), 3),
                    round(float((chances[answerable[own]] < t).mean()), 3),
                ]
                for t in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
            },
        }
    return figures


def calibration_error(right: np.ndarray, chances: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal size."""
    parts = np.array_split(np.argsort(chances), bins)
    return float(sum(len(p) * abs(right[p].mean() - chances[p].mean()) for p in parts if len(p)) / len(right))


def _stated(features: Sequence[str], model: LogisticRegression) -> dict[str, object]:
    weights = [round(float(weight), 4) for weight in model.coef_[0]]
    return {"features": list(features), "weights": weights, "bias": round(float(model.intercept_[0]), 4)}


if __name__ == "__main__":
    main()
