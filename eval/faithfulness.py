"""RAGAS's measures of an answer, with our judge in place of the language model that RAGAS asks.

The measures are RAGAS's own (`ragas.metrics.collections`): it writes the prompts and counts. Only the replies differ:
statements are the answer's sentences, and verdicts are the judge's. That needs no network, takes milliseconds and is
deterministic. Any OpenAI-compatible server can answer instead.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import numpy as np

from eval.measures import Values
from eval.questions import EvalQuestion
from rag.answer.generator import LABEL
from rag.errors import InvalidInput
from rag.models.embed import Embedder
from rag.models.judge import EvidencePair, Judge
from rag.text.sentences import split_sentences
from rag.types import Answer

os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # before importing ragas, which reports its use

from pydantic import BaseModel
from ragas.embeddings.base import BaseRagasEmbedding
from ragas.llms.base import InstructorBaseRagasLLM
from ragas.metrics.collections import (
    AnswerRelevancy,
    ContextPrecisionWithReference,
    ContextRecall,
    Faithfulness,
)
from ragas.metrics.collections.faithfulness.util import NLIStatementInput, NLIStatementOutput

# A statement counts as supported from this probability of the judge on.
SUPPORTED_FROM = 0.5
# An expected answer shorter than this is judged together with its question.
FEW_WORDS = 8
REQUESTS_AT_ONCE = 8  # requests to a server
JUDGE_TIMEOUT_S = 120
Output = TypeVar("Output", bound=BaseModel)
Result = TypeVar("Result")
# What precedes the JSON that ends a prompt; JSON contains no line breaks.
_INPUT = "\ninput: "
_EVASIVE = re.compile(
    r"\b(do(es)? not|don't|cannot|can't) (know|say|answer|tell)\b|\bnot sure\b", re.IGNORECASE
)


class JudgeLLM(InstructorBaseRagasLLM):
    """Answers RAGAS's prompts with a judge. Deterministic."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def agenerate(self, prompt: str, response_model: type[Output]) -> Output:
        return self.generate(prompt, response_model)

    def generate(self, prompt: str, response_model: type[Output]) -> Output:
        """Return what RAGAS's prompt asks for, read from the JSON that ends it.

        Raises:
            ValueError: for a prompt of a measure that this module does not use.
        """
        asked = _asked(prompt)
        name = response_model.__name__
        if name == "StatementGeneratorOutput":
            return response_model(statements=statements(asked["answer"]))
        if name == "NLIStatementOutput":
            judged = self._verdicts(asked["context"], asked["statements"], "statement", "verdict")
            return response_model(statements=judged)
        if name == "ContextRecallOutput":
            said = _with_question(asked["question"], asked["answer"])
            judged = self._verdicts(asked["context"], said, "statement", "attributed")
            return response_model(classifications=judged)
        if name == "ContextPrecisionOutput":
            said = [" ".join(_with_question(asked["question"], asked["answer"]))]
            return response_model(**self._verdicts(asked["context"], said, None, "verdict")[0])
        if name == "AnswerRelevanceOutput":
            evasive = int(_EVASIVE.search(asked["response"]) is not None)
            return response_model(question=asked["response"], noncommittal=evasive)
        raise ValueError(f"RAGAS asks for {name}, which the judge cannot give.")

    def _verdicts(
        self, context: str, said: Sequence[str], named: str | None, verdict: str
    ) -> list[dict[str, Any]]:
        chances = self._judge.support([(context, statement) for statement in said])
        return [
            {verdict: int(chance >= SUPPORTED_FROM), "reason": f"supported with probability {chance:.2f}"}
            | ({named: statement} if named else {})
            for statement, chance in zip(said, chances, strict=True)
        ]


class ServerLLM(InstructorBaseRagasLLM):
    """Passes RAGAS's prompts to an OpenAI-compatible server (vLLM, llama.cpp, Ollama, a cloud).

    RAGAS's own client would write a user id into the home folder and use tool calls, which few servers support.
    Connections belong to the event loop that opened them, so they are opened and closed within one:
    `async with llm: await llm.agenerate(...)`.

    Args:
        api_key: "" for a server that needs none.

    Raises:
        InvalidInput: if the address is not a URL.
    """

    def __init__(self, url: str, model: str, api_key: str = "") -> None:
        if not re.match(r"https?://[^/\s]+", url):
            raise InvalidInput(
                f"{url!r} is not the address of a server; expected one such as http://127.0.0.1:8080/v1."
            )
        self._url, self._model, self._api_key = url, model, api_key

    async def __aenter__(self) -> ServerLLM:
        import instructor
        from openai import AsyncOpenAI

        self._connection = AsyncOpenAI(
            base_url=self._url, api_key=self._api_key or "none", timeout=JUDGE_TIMEOUT_S
        )
        self._client: Any = instructor.from_openai(self._connection, mode=instructor.Mode.JSON)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._connection.close()

    async def agenerate(self, prompt: str, response_model: type[Output]) -> Output:
        """Return the server's reply, parsed as JSON; an error of the client is raised as it is."""
        answered: Output = await self._client.chat.completions.create(
            model=self._model,
            messages=[{"role": "user", "content": prompt}],
            response_model=response_model,
            temperature=0.0,
        )
        return answered

    def generate(self, prompt: str, response_model: type[Output]) -> Output:
        """Refuse: RAGAS requires this method, but its measures ask asynchronously, within one event loop."""
        raise NotImplementedError("A server is asked with `agenerate`.")


class LocalEmbedding(BaseRagasEmbedding):
    """Our embedder behind RAGAS's interface."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self._embedder = embedder

    def embed_text(self, text: str, **kwargs: Any) -> list[float]:
        vector: list[float] = self._embedder.encode([text])[0].tolist()
        return vector

    async def aembed_text(self, text: str, **kwargs: Any) -> list[float]:
        return self.embed_text(text)


class Scorer:
    """RAGAS's four measures over one language model (or the judge) and one embedder.

    Args:
        name: name of the judge, which a run records: figures of two judges are not compared.
    """

    def __init__(self, llm: InstructorBaseRagasLLM, embedder: Embedder, name: str) -> None:
        self._llm, self._embedder, self.name = llm, embedder, name
        self.failure = ""  # the first reason for a missing value
        self._faithfulness = Faithfulness(llm=llm)
        self._relevancy = AnswerRelevancy(llm=llm, embeddings=LocalEmbedding(embedder), strictness=1)
        self._precision, self._recall = ContextPrecisionWithReference(llm=llm), ContextRecall(llm=llm)

    def score(self, questions: Sequence[EvalQuestion], answers: Sequence[Answer]) -> list[Values]:
        """Return "citations support", and RAGAS's "faithfulness", "answer relevancy", "context precision" and "recall".

        Refusals have none of them; measures that need an expected answer are left out without one. A value is NaN if
        the model's reply cannot be used. With the judge, "answer relevancy" is the cosine of question and answer: RAGAS
        compares the question with one that a model makes from the answer, and the judge makes none.
        """
        return self._run(self._score(questions, answers))

    def support(self, pairs: Sequence[EvidencePair]) -> np.ndarray:
        """Return 1 or 0 for each (evidence, statement), as judged by the judge or server behind RAGAS.

        A verdict is NaN if the model's reply cannot be used.
        """
        return np.array(self._run(self._verdicts(pairs)))

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do work in an event loop of its own, which a server's connections do not outlive."""

        async def connected() -> Result:
            async with self._llm if isinstance(self._llm, ServerLLM) else nullcontext():
                return await work

        return asyncio.run(connected())

    async def _verdicts(self, pairs: Sequence[EvidencePair]) -> list[float]:
        gate = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def one(pair: EvidencePair) -> float:
            async with gate:
                return await self._number(self._verdict(*pair))

        return list(await asyncio.gather(*(one(pair) for pair in pairs)))

    async def _verdict(self, evidence: str, statement: str) -> float:
        asked = NLIStatementInput(context=evidence, statements=[statement])
        prompt = self._faithfulness.nli_statement_prompt.to_string(asked)
        answered: Any = await self._llm.agenerate(prompt, NLIStatementOutput)
        return float(bool(answered.statements and answered.statements[0].verdict))

    async def _score(self, questions: Sequence[EvalQuestion], answers: Sequence[Answer]) -> list[Values]:
        gate = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def one(question: EvalQuestion, answer: Answer) -> Values:
            async with gate:
                return await self._score_one(question, answer)

        pairs = zip(questions, answers, strict=True)
        return list(await asyncio.gather(*(one(question, answer) for question, answer in pairs)))

    async def _score_one(self, question: EvalQuestion, answer: Answer) -> Values:
        asked, contexts = question.question, list(answer.trace.shown)
        said = LABEL.sub("", answer.text).strip()
        if not said or not contexts:
            return {}
        values = {
            "citations support": await self._number(self._cited(answer)),
            "faithfulness": await self._measure(self._faithfulness.ascore(asked, said, contexts)),
            "answer relevancy": await self._measure(self._relevancy.ascore(asked, said)),
        }
        if question.answers:
            expected = ", ".join(question.answers)
            values["context precision"] = await self._measure(
                self._precision.ascore(asked, expected, contexts)
            )
            values["context recall"] = await self._measure(self._recall.ascore(asked, contexts, expected))
        return values

    async def _cited(self, answer: Answer) -> float:
        """Return the share of the answer's parts that their own quotes support; an uncited part has none.

        A part that its quote contains verbatim is supported without a judgement.
        """
        quotes: dict[tuple[int, int], list[str]] = {}
        for one in answer.citations:
            quotes.setdefault((one.answer_start, one.answer_end), []).append(one.quote)
        rest = answer.text
        for start, end in sorted(quotes, reverse=True):
            rest = rest[:start] + rest[end:]
        supported = []
        for (start, end), cited in quotes.items():
            part, shown = answer.text[start:end], "\n".join(cited)
            supported.append(1.0 if part in shown else await self._verdict(shown, part))
        supported += [0.0 for _ in statements(LABEL.sub("", rest))]
        return float(np.mean(supported)) if supported else 0.0

    async def _measure(self, scored: Awaitable[Any]) -> float:
        """Return the value of one of RAGAS's measures; NaN if a model's reply cannot be used."""

        async def value() -> float:
            return float(np.float64((await scored).value))

        return await self._number(value())

    async def _number(self, number: Awaitable[float]) -> float:
        """Return a number; NaN if a model's reply cannot be used, which is counted and shown."""
        try:
            return await number
        except Exception as error:
            if isinstance(self._llm, JudgeLLM):
                raise  # our judge always answers; a bug is not a missing value
            self.failure = self.failure or f"{type(error).__name__}: {error}"[:300]
            return math.nan


def statements(text: str) -> list[str]:
    """Return the sentences of an answer that contain a letter or digit."""
    found = [text[start:end].strip() for start, end in split_sentences(text)]
    return [sentence for sentence in found if re.search(r"[^\W_]", sentence)]


def _with_question(question: str, reference: str) -> list[str]:
    """Return an expected answer as statements; a short one is joined to its question."""
    if len(reference.split()) < FEW_WORDS:
        return [f"{question} {reference}"]
    return statements(reference) or [reference]


def _asked(prompt: str) -> dict[str, Any]:
    at = prompt.rfind(_INPUT)
    if at < 0:
        raise ValueError("RAGAS's prompt does not end in `input: {...}`; its version has changed.")
    asked: dict[str, Any] = json.JSONDecoder().raw_decode(prompt, at + len(_INPUT))[0]
    return asked
