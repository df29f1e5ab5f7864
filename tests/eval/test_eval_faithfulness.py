"""RAGAS over the real judge, and over a server that speaks OpenAI's protocol."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from eval.checks import _judging
from eval.faithfulness import JudgeLLM, Scorer, ServerLLM, statements
from eval.questions import EvalQuestion, Gold
from rag.errors import InvalidInput
from rag.models.embed import Embedder
from rag.models.judge import load_judge
from rag.types import Answer, Chunk, Citation, Hit, Ledger, Trace

EVIDENCE = (
    "The bridge was opened in 1932 after eight years of work. "
    "It carries eight lanes of traffic and two railway tracks."
)
QUESTION = EvalQuestion("q", "When was the bridge opened?", (Gold("a", 0, 9, "x" * 9),), ("1932",))


def answered(text: str, *contexts: str) -> Answer:
    hits = tuple(
        Hit(Chunk("a", "a", 1, 0, len(context), context), 0, len(context), context, 1.0, "evidence")
        for context in contexts
    )
    trace = Trace("q", {"context": hits}, {}, (), {"total": 1.0}, shown=contexts)
    return Answer(text, bool(text), 0.9, (), "", (), Ledger(9, 1, 0, 0, 1, 1), trace)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    from rag.models.embed import load_embedder

    return Scorer(JudgeLLM(load_judge()), load_embedder(), "pack")


def test_what_the_evidence_says_is_faithful_and_what_it_does_not_is_not(scorer: Scorer) -> None:
    true = answered("The bridge was opened in 1932. [1]", EVIDENCE)
    false = answered("The bridge was closed in 1954 after a storm. [1]", EVIDENCE)
    half = answered("The bridge was opened in 1932. [1] It collapsed in a storm in 1954. [1]", EVIDENCE)
    scored = scorer.score([QUESTION] * 3, [true, false, half])

    assert [one["faithfulness"] for one in scored] == [1.0, 0.0, 0.5]
    assert scored[0]["answer relevancy"] > 0.5
    assert scored == scorer.score([QUESTION] * 3, [true, false, half])  # the same, always


def test_a_citation_has_to_support_its_part(scorer: Scorer) -> None:
    text = "It was opened in 1932. It collapsed in 1954."
    first, second = text.index("It was"), text.index("It coll")

    def cited(*quotes: tuple[int, int, str]) -> float:
        citations = tuple(Citation(s, e, 1, "a", 1, None, 0, len(q), q, True) for s, e, q in quotes)
        answer = replace(answered(text, EVIDENCE), citations=citations)
        return scorer.score([QUESTION], [answer])[0]["citations support"]

    verbatim = (first, 22, "It was opened in 1932.")
    assert cited(verbatim, (second, len(text), text[second:])) == 1.0
    assert cited(verbatim, (second, len(text), "Butter melts in a warm pan.")) == 0.5
    assert cited(verbatim) == 0.5  # the second sentence is not cited
    assert cited() == 0.0


def test_context_is_judged_against_the_expected_answer(scorer: Scorer) -> None:
    other = "Butter melts in a warm pan, and then the flour is stirred in until it browns a little."
    first, last, neither = (
        answered("It was opened in 1932. [1]", *contexts)
        for contexts in ((EVIDENCE, other), (other, EVIDENCE), (other, other))
    )
    scored = scorer.score([QUESTION] * 3, [first, last, neither])

    assert [round(one["context precision"], 3) for one in scored] == [1.0, 0.5, 0.0]
    assert [one["context recall"] for one in scored] == [1.0, 1.0, 0.0]


def test_the_scorer_judges_as_its_model_does(scorer: Scorer) -> None:
    said = ["The bridge was opened in 1932.", "It collapsed in a storm in 1954."]

    assert scorer.support([(EVIDENCE, one) for one in said]).tolist() == [1.0, 0.0]


def test_a_refusal_and_a_missing_reference_are_left_out(scorer: Scorer) -> None:
    refused, free = scorer.score(
        [QUESTION, replace(QUESTION, answers=())],
        [answered("", EVIDENCE), answered("In 1932. [1]", EVIDENCE)],
    )

    assert refused == {}
    assert set(free) == {"citations support", "faithfulness", "answer relevancy"}


def test_statements_are_sentences_that_say_something() -> None:
    assert statements("It is 40 EUR. --- It rose in May.") == ["It is 40 EUR.", "--- It rose in May."]
    assert statements("...") == []


def test_a_measure_that_the_judge_cannot_give_is_refused() -> None:
    llm = JudgeLLM(load_judge())

    class Rubric(BaseModel):
        score: int

    with pytest.raises(ValueError, match="Rubric"):
        llm.generate('Do it.\ninput: {"answer": "x"}\nOutput: ', Rubric)
    with pytest.raises(ValueError, match="does not end in"):
        llm.generate("Do it.", Rubric)


class Server(BaseHTTPRequestHandler):
    """Speaks OpenAI's chat protocol: says that every statement is supported, or something that is not JSON."""

    malformed = False
    protocol_version = "HTTP/1.1"  # keeps connections, as vLLM does

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = "I would rather not say." if self.malformed else json.dumps(answer_to(request))
        message: dict[str, Any] = {"role": "assistant", "content": said}
        body = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        encoded = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *arguments: Any) -> None:
        """Log nothing."""


def answer_to(request: dict[str, Any]) -> dict[str, Any]:
    prompt = "".join(str(message["content"]) for message in request["messages"])
    asked = json.JSONDecoder().raw_decode(prompt, prompt.rfind("\ninput: ") + 8)[0]
    if "statements" in asked:
        return {
            "statements": [
                {"statement": s, "reason": "so it says", "verdict": 1} for s in asked["statements"]
            ]
        }
    if "answer" in asked and "context" not in asked:
        return {"statements": [asked["answer"]]}
    if "response" in asked:
        return {"question": "When was the bridge opened?", "noncommittal": 0}
    if "context" in asked:
        return {
            "reason": "so it says",
            "verdict": 1,
            "classifications": [{"statement": asked["answer"], "reason": "so", "attributed": 0}],
        }
    raise AssertionError(asked)


@contextmanager
def serving(*, malformed: bool = False) -> Iterator[str]:
    handler = type("Handler", (Server,), {"malformed": malformed})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_server_can_judge_instead(embedder: Embedder) -> None:
    with serving() as url:
        scorer = Scorer(ServerLLM(url, "some-model", ""), embedder, "some-model")
        scored = scorer.score([QUESTION], [answered("The bridge was painted blue. [1]", EVIDENCE)])[0]

    assert scored["faithfulness"] == 1.0
    assert scored["answer relevancy"] == pytest.approx(1.0, abs=1e-3)
    assert scored["context precision"] == pytest.approx(1.0)
    assert scored["context recall"] == 0.0


def test_a_server_that_keeps_connections_judges_a_whole_run(embedder: Embedder) -> None:
    """A run scores its answers and then judges the canary; a connection of the first is no use to the second."""
    answers = [answered(f"The bridge has {n} lanes. [1]", EVIDENCE) for n in range(12)]
    with serving() as url:
        scorer = Scorer(ServerLLM(url, "some-model", ""), embedder, "some-model")
        scored = scorer.score([QUESTION] * len(answers), answers)
        verdicts = scorer.support([(EVIDENCE, f"It has {n} lanes.") for n in range(20)])

    assert [one["faithfulness"] for one in scored] == [1.0] * len(answers)
    assert verdicts.tolist() == [1.0] * 20
    assert scorer.failure == ""


def test_a_server_that_is_gone_gives_no_verdict(embedder: Embedder) -> None:
    with serving() as url:
        scorer = Scorer(ServerLLM(url, "some-model", ""), embedder, "some-model")

    assert np.isnan(scorer.support([(EVIDENCE, "It has eight lanes.")])).all()
    assert "Connection" in scorer.failure, scorer.failure
    judged = _judging(scorer)
    assert not judged.ok
    assert "accuracy 0.00" in judged.found
    assert "no verdict on" in judged.found


def test_what_a_server_says_that_is_no_verdict_is_no_number(embedder: Embedder) -> None:
    with serving(malformed=True) as url:
        scorer = Scorer(ServerLLM(url, "some-model", ""), embedder, "some-model")
        scored = scorer.score([QUESTION], [answered("The bridge is blue. [1]", EVIDENCE)])[0]

    assert math.isnan(scored["faithfulness"])
    assert "Error" in scorer.failure or "Exception" in scorer.failure


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="expected one such as http"):
        ServerLLM("localhost:80", "m", "")
