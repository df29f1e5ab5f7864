"""The question path: question -> checked answer. `_answer` and `_hits` read as the list of its stages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from rag.answer.labels import Sources
from rag.answer.verify import StaleEvidence
from rag.errors import CitationError, InvalidInput, NotFound, OtherEmbedder, StorageError
from rag.index.follower import CorpusIndex, Followers
from rag.recorder import OnStage, Recorder
from rag.rerank import Reranked
from rag.retrieve import Request, current_hits
from rag.settings import Settings
from rag.stages import ModelSet, Stages, StagesByModel
from rag.store.catalog import Catalog
from rag.store.filters import Filter, filter_to_sql
from rag.store.generations import Generation
from rag.types import Answer, Hit, Memory, Trace

# Candidates that each leg retrieves per hit requested from `search`.
SEARCH_DEPTH = 4
# Attempts at a question whose cited documents change meanwhile.
QUESTION_ATTEMPTS = 3
# Hits shown with a refusal.
NEAREST = 3
CHANGED = "its document changed or was deleted meanwhile"
NOTHING_REMEMBERED = Memory()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first, and how they came about."""

    hits: tuple[Hit, ...]
    trace: Trace


class Pipeline:
    """Answers questions over the corpora of one catalogue. Safe for several threads.

    A question is answered from one generation of its corpus, even if another is swapped in meanwhile.

    Args:
        models: their embedder is used unless the generation was made with another model.
        stages: stages over that embedder; they replace those that the settings describe.
        trying: a generation that answers in place of the one that serves its corpus.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        models: ModelSet,
        stages: Stages | None = None,
        *,
        trying: Generation | None = None,
    ) -> None:
        self.models = models
        self._settings, self._catalog, self._trying = settings, catalog, trying
        self._stages = StagesByModel(settings, catalog, models, stages)
        self._followers = Followers(catalog, settings.retrieval.lexical)

    def search(
        self,
        corpus: str,
        question: str,
        *,
        k: int = 5,
        filter_: Filter | None = None,
        on_stage: OnStage | None = None,
    ) -> SearchResult:
        """Return up to k hits, best first, from candidates that scale with k.

        Args:
            on_stage: called when a stage is done; an exception from it ends the search.

        Raises:
            NotFound, InvalidInput: for an unknown corpus, a bad question or filter.
        """
        self.check_question(question, filter_)
        recorder, index = Recorder(question, on_stage), self.index(corpus)
        stages = recorder.around(self._stages.over(index.generation))
        vector, depth = stages.embed(question), SEARCH_DEPTH * k
        hits, _ = self._hits(stages, recorder, Request(question, vector, index, k, depth, depth, filter_))
        # Pruned meanwhile: the result is incomplete
        if not self._catalog.generations.exists(index.generation):
            return self.search(corpus, question, k=k, filter_=filter_, on_stage=on_stage)
        current = current_hits(hits, self._catalog)
        recorder.drop(hits, current, CHANGED)
        return SearchResult(tuple(current), recorder.trace(question))

    def ask(
        self,
        corpus: str,
        question: str,
        *,
        filter_: Filter | None = None,
        on_stage: OnStage | None = None,
        memory: Memory = NOTHING_REMEMBERED,
    ) -> Answer:
        """Answer from the evidence, every citation verified, or refuse with the nearest hits.

        Args:
            memory: the conversation so far. The question is rewritten from it to stand alone, its recalled exchanges
                are returned with the answer, and a generator that writes gets all of it in its prompt.
            on_stage: called when a stage is done, and again if the question starts over; an exception from it ends
                the work.

        Raises:
            NotFound, InvalidInput: for an unknown corpus, a bad question or filter.
            CitationError: if a quote is not the stored text, or part of the answer is not cited.
        """
        self.check_question(question, filter_)
        changed: list[str] = []
        while len(changed) < QUESTION_ATTEMPTS:
            index = self.index(corpus)
            try:
                answer = self._answer(index, question, memory, filter_, Recorder(question, on_stage))
                if self._catalog.generations.exists(index.generation):  # if pruned, the result is incomplete
                    return replace(answer, recalled=memory.recalled, facts=memory.facts)
            except StaleEvidence as error:
                changed.append(str(error))
        raise CitationError(
            f"The cited documents changed {QUESTION_ATTEMPTS} times while answering ({changed[-1]}); ask again."
        )

    def understood(self, corpus: str, question: str, earlier: Sequence[str]) -> str:
        """Return a question as `ask` will understand it: rewritten to stand alone, if anything was said before.

        Raises:
            NotFound, OtherEmbedder: as `index`.
        """
        if not earlier:
            return question
        return self._stages.over(self.index(corpus).generation).rewrite(question, earlier)

    def index(self, corpus: str) -> CorpusIndex:
        """Return the follower of the generation that answers for a corpus; it is loaded on first use.

        Raises:
            NotFound: if there is no such corpus.
            OtherEmbedder: if its embedding model is unavailable.
        """
        try:
            generation = self._catalog.generations.serving(corpus)
            if self._trying is not None and self._trying.corpus == corpus:
                generation = self._trying
            dimension = self._stages.embedder(generation).dimension
        except (NotFound, OtherEmbedder):
            self._followers.forget(corpus)
            raise
        return self._followers.of(generation, dimension)

    def save_indexes(self, *, always: bool = False) -> None:
        """Write snapshots of the loaded indexes that changed enough (with `always`, of those that changed at all)."""
        for corpus in self._followers.corpora():
            with suppress(NotFound, OtherEmbedder, StorageError):  # deleted meanwhile, or unreadable
                self.index(corpus).save(always=always)

    def check_question(self, question: str, filter_: Filter | None = None) -> None:
        """Raise InvalidInput if the question is empty, too long or contains half a character, or if the filter is
        bad."""
        if filter_ is not None:
            filter_to_sql(filter_)
        if not question.strip():
            raise InvalidInput("The question is empty; ask something.")
        try:
            question.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"Character {error.start} of the question is half a surrogate pair; send whole characters."
            ) from error
        most = self._settings.limits.max_question_chars
        if len(question) > most:
            raise InvalidInput(
                f"The question has {len(question):,} characters; expected at most {most:,}. Shorten it."
            )

    def _answer(
        self, index: CorpusIndex, question: str, memory: Memory, filter_: Filter | None, recorder: Recorder
    ) -> Answer:
        settings, corpus = self._settings, index.generation.corpus
        stages = recorder.around(self._stages.over(index.generation))
        if memory.earlier:
            question = stages.rewrite(question, memory.earlier)
        legs = settings.retrieval.dense_candidates, settings.retrieval.lexical_candidates
        request = Request(
            question, stages.embed(question), index, settings.retrieval.evidence_most, *legs, filter_
        )
        hits, fused = self._hits(stages, recorder, request)
        selection = stages.select(question, stages.keep(hits), fused)
        context = stages.assemble(question, selection, memory)
        draft = stages.generate(context, recorder.writing)
        citations = stages.verify(draft, context, corpus)
        answerable = bool(draft.text) and draft.confidence >= settings.answer.refuse_below
        quoted = citations if answerable else ()
        conflicts = stages.compare(context, quoted, corpus)
        sources = Sources()
        text, quoted = sources.renumber(draft.text if answerable else "", quoted)
        conflicts = tuple(
            replace(one, citations=tuple(replace(c, label=sources.number(c)) for c in one.citations))
            for one in conflicts
        )
        nearest: list[Hit] = []
        if not answerable:
            nearest = current_hits(selection.hits, self._catalog)
            recorder.drop(selection.hits, nearest, CHANGED)
        reason = draft.reason or "The nearest evidence does not answer the question well enough."
        return Answer(
            text=text,
            answerable=answerable,
            confidence=draft.confidence,
            citations=quoted,
            reason="" if answerable else reason,
            nearest=tuple(nearest[:NEAREST]),
            ledger=context.ledger,
            trace=recorder.trace(question),
            conflicts=conflicts,
        )

    def _hits(self, stages: Stages, recorder: Recorder, request: Request) -> tuple[list[Hit], list[Hit]]:
        """Retrieve, fuse, rerank and trim, for both `search` and `ask`; return the hits and every fused candidate."""
        candidates = stages.retrieve(request)
        fused = stages.fuse(candidates)
        reranked = stages.rerank(request, fused) if stages.rerank else Reranked(fused, {})
        if stages.trim:
            return stages.trim(request, candidates, reranked), fused
        first = reranked.hits[: request.k]
        recorder.drop(reranked.hits, first, f"not among the {request.k} best")
        return first, fused
