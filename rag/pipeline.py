"""The question path: question -> checked answer. Read `Pipeline.ask` as the list of its stages."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from rag import stages
from rag.answer.conflicts.find import find_conflicts
from rag.answer.extractive import Generator
from rag.answer.prompts import SYSTEM, THINKING
from rag.answer.strategy import Selection, Selector
from rag.answer.verify import StaleEvidence, verify
from rag.answer.writer import Writer
from rag.assemble import Limits, assemble, memory_pieces, reading_order, room_for_evidence
from rag.errors import CitationError, InvalidInput, NotFound, OtherEmbedder, StorageError
from rag.index.follower import CorpusIndex, Followers
from rag.models.embed import Embedder, embedder_of
from rag.recorder import OnStage, Recorder
from rag.rerank import LateInteraction, Reranked
from rag.retrieve import Candidates, fuse_legs, on_their_pages, retrieve, with_neighbours
from rag.rewrite import rewrite
from rag.settings import Settings
from rag.store.catalog import Catalog
from rag.store.filters import Filter, filter_to_sql
from rag.store.generations import Generation
from rag.text.injection import last_if_planted
from rag.trim import keep_evidence, trim
from rag.types import Answer, Context, Hit, Memory, Trace

SEARCH_DEPTH = 4  # candidates of each leg for every hit that `search` is asked for
RERANK_DEPTH = 4  # candidates that are trimmed for every hit that is wanted; reranking reads the first few
ATTEMPTS = 3  # how often a question starts over because a cited document changed meanwhile
NEAREST = 3  # hits shown with a refusal
NOTHING_REMEMBERED = Memory()


@dataclass(frozen=True, slots=True)
class Found:
    """What a search returns: hits, best first, and how they came about."""

    hits: tuple[Hit, ...]
    trace: Trace


class Pipeline:
    """Answers questions over the corpora of one catalogue. Safe for several threads.

    A question is answered from one generation of its corpus, whichever comes to serve meanwhile.

    Args:
        embedder: what embeds, unless the generation at hand is of another model.
        trying: answers in place of the generation that serves its corpus.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        embedder: Embedder,
        generator: Generator | None = None,
        *,
        trying: Generation | None = None,
    ) -> None:
        self._settings, self._catalog, self._trying = settings, catalog, trying
        self._generator = generator
        self._make_generator: Callable[[], Generator] = partial(stages.generator, settings, embedder)
        self._compressor = stages.compressor(settings)
        self._cross_encoder = stages.cross_encoder(settings)
        self._limits = Limits(settings.budget_tokens, settings.evidence_tokens, settings.compression)
        self._system = SYSTEM + THINKING if settings.generator_thinks else SYSTEM
        self._followers = Followers(catalog, settings.lexical)
        self._others: dict[str, Pipeline] = {}  # by the fingerprint of their embedder
        self._lock = threading.RLock()
        self._embed_with(embedder)

    def search(
        self,
        corpus: str,
        question: str,
        *,
        k: int = 5,
        filter_: Filter | None = None,
        on_stage: OnStage | None = None,
    ) -> Found:
        """Return up to k hits, best first, from candidates that scale with k.

        Args:
            on_stage: called as each stage is done; what it raises ends the search.

        Raises:
            NotFound, InvalidInput: for an unknown corpus, a bad question or filter.
        """
        self.check_question(question, filter_)
        recorder, index = Recorder(on_stage), self.index(corpus)
        depth = SEARCH_DEPTH * k
        hits = self._over(index.generation)._hits(recorder, index, question, k, depth, depth, filter_)
        if not self._catalog.stands(index.generation):  # pruned meanwhile: it found less than there is
            return self.search(corpus, question, k=k, filter_=filter_, on_stage=on_stage)
        return Found(tuple(self._current(recorder, hits)), recorder.trace(question))

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
            memory: what was said before: the question is rewritten from it to stand alone, what it recalls goes along
                with the answer, and all of it with the prompt of a generator that writes.
            on_stage: called as each stage is done, and again where it has to start over; what it
                raises ends the work.

        Raises:
            NotFound, InvalidInput: for an unknown corpus, a bad question or filter.
            CitationError: if a quote is not the stored text, or a part of the answer is not cited.
        """
        self.check_question(question, filter_)
        changed: list[str] = []
        while len(changed) < ATTEMPTS:
            index = self.index(corpus)
            path = self._over(index.generation)
            try:
                answer = path._ask_once(index, question, memory, filter_, Recorder(on_stage))
                if self._catalog.stands(index.generation):  # pruned, it found less than there is
                    return replace(answer, recalled=memory.recalled, facts=memory.facts)
            except StaleEvidence as error:
                changed.append(str(error))
        raise CitationError(
            f"The cited documents changed {ATTEMPTS} times while answering ({changed[-1]}); ask again."
        )

    def index(self, corpus: str) -> CorpusIndex:
        """Return the follower of the generation that answers for a corpus, loading it at its first use.

        Raises:
            NotFound: if there is no such corpus.
            OtherEmbedder: if its embedding model is not to be had.
        """
        try:
            generation = self._catalog.serving(corpus)
            if self._trying is not None and self._trying.corpus == corpus:
                generation = self._trying
            dimension = self._over(generation).embedder.dimension
        except (NotFound, OtherEmbedder):
            self._followers.forget(corpus)
            raise
        return self._followers.of(generation, dimension)

    def save_indexes(self, *, always: bool = False) -> None:
        """Write snapshots of the loaded indexes where enough changed (or `always`, if anything did)."""
        for corpus in self._followers.corpora():
            with suppress(NotFound, OtherEmbedder, StorageError):  # deleted meanwhile, or unreadable
                self.index(corpus).save(always=always)

    @property
    def generator(self) -> Generator:
        """What writes the answers; it loads at its first use, for searching and ingesting need none."""
        with self._lock:
            if self._generator is None:
                self._generator = self._make_generator()
            return self._generator

    def warm_up(self) -> None:
        """Load what only some questions need."""
        if self._compressor:
            self._compressor.warm_up()

    @property
    def summarize(self) -> Callable[[str], str] | None:
        """What sums an exchange up: the language model, where one writes the answers; else None."""
        return self.generator.summarize if isinstance(self.generator, Writer) else None

    # the models

    def _embed_with(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._reranker = LateInteraction(embedder, self._cross_encoder)
        self._selector = Selector(self._settings.strategy, self._catalog, embedder)

    def _over(self, generation: Generation) -> Pipeline:
        """Return this path with the embedding model of a generation; all other models are shared."""
        embedder = embedder_of(
            generation.corpus, generation.recipe, self.embedder, threads=self._settings.encoder_threads
        )
        if embedder is self.embedder:
            return self
        with self._lock:
            if embedder.fingerprint not in self._others:
                other = copy.copy(self)
                other._generator = None
                other._make_generator = lambda: stages.with_embedder(self.generator, embedder)
                other._embed_with(embedder)
                self._others[embedder.fingerprint] = other
            return self._others[embedder.fingerprint]

    # the stages

    def _ask_once(
        self,
        index: CorpusIndex,
        question: str,
        memory: Memory,
        filter_: Filter | None,
        recorder: Recorder,
    ) -> Answer:
        settings, corpus = self._settings, index.generation.corpus
        if memory.earlier:
            with recorder.timed("rewrite"):
                question = self._rewritten(recorder, question, memory.earlier)
        hits = self._hits(
            recorder,
            index,
            question,
            settings.evidence_most,
            settings.dense_candidates,
            settings.lexical_candidates,
            filter_,
        )
        with recorder.timed("assemble"):
            evidence = keep_evidence(hits, least=settings.evidence_least, most=settings.evidence_most)
            recorder.drop(hits, evidence, "a weak tail: far below the best")
            selection = self._selected(recorder, question, evidence)
            evidence = selection.hits
            context = self._context(question, selection, memory)
            recorder.place(context)
        with recorder.timed("generate"):
            draft = self.generator.generate(context, recorder.writing)
            recorder.remarks += draft.notes
        with recorder.timed("verify"):
            citations = verify(draft, context, corpus, self._catalog)
        answerable = bool(draft.text) and draft.confidence >= settings.refuse_below
        with recorder.timed("compare"):
            quoted = citations if answerable else ()
            conflicts = (
                () if not quoted else find_conflicts(context, quoted, corpus, self._catalog, self.embedder)
            )
        nearest = () if answerable else tuple(self._current(recorder, evidence)[:NEAREST])
        reason = draft.reason or "The nearest evidence does not answer the question well enough."
        return Answer(
            text=draft.text if answerable else "",
            answerable=answerable,
            confidence=draft.confidence,
            citations=quoted,
            reason="" if answerable else reason,
            nearest=nearest,
            ledger=context.ledger,
            trace=recorder.trace(question),
            conflicts=conflicts,
        )

    def _rewritten(self, recorder: Recorder, question: str, earlier: Sequence[str]) -> str:
        alone = rewrite(question, earlier)
        if len(alone) > self._settings.max_question_chars:
            return question
        if alone != question:
            recorder.remarks.append(f"Rewritten to stand alone: {alone}")
        return alone

    def _selected(self, recorder: Recorder, question: str, evidence: Sequence[Hit]) -> Selection:
        """Choose what the prompt shows, and report what of it speaks to a model."""
        chosen = self._selector.select(
            question,
            evidence,
            recorder.rankings["fused"],
            room=room_for_evidence(question, self._limits, self._system, self.generator.count_tokens),
            count=self.generator.count_tokens,
            writes=self.generator.writes,
        )
        hits, remarks = last_if_planted(chosen.hits)
        recorder.remarks += remarks
        recorder.strategy, recorder.rankings["evidence"] = chosen.strategy, tuple(hits)
        return replace(chosen, hits=hits)

    def _hits(
        self,
        recorder: Recorder,
        index: CorpusIndex,
        question: str,
        k: int,
        dense_k: int,
        lexical_k: int,
        filter_: Filter | None,
    ) -> list[Hit]:
        """Retrieve, fuse, rerank and trim: the part that `search` and `ask` share."""
        with recorder.timed("embed"):
            vector = self.embedder.encode([question])[0]  # (dim,)
        with recorder.timed("retrieve"):
            candidates = retrieve(
                question, vector, index, dense_k=dense_k, lexical_k=lexical_k, filter_=filter_
            )
            recorder.rankings |= {"dense": tuple(candidates.dense), "lexical": tuple(candidates.lexical)}
        with recorder.timed("fuse"):
            hits = self._fuse(candidates)
            recorder.rankings["fused"] = tuple(hits)
        reranked = Reranked(hits, {})
        if self._settings.reranker != "none":
            with recorder.timed("rerank"):
                reranked = self._rerank(recorder, question, hits, k)
        if not self._settings.trim:
            recorder.drop(reranked.hits, reranked.hits[:k], f"not among the {k} best")
            return reranked.hits[:k]
        with recorder.timed("trim"):
            return self._trim(recorder, question, vector, index, candidates, reranked, k)

    def _rerank(self, recorder: Recorder, question: str, hits: Sequence[Hit], k: int) -> Reranked:
        reranked = self._reranker.rerank(
            question, hits, limit=RERANK_DEPTH * k, deadline_ms=self._settings.rerank_deadline_ms
        )
        ended = (
            "before its deadline; what was not read keeps the fused order"
            if reranked.late
            else "within its token budget"
        )
        recorder.notes.append(f"Reranking read {len(reranked.vectors)} of {len(hits)} candidates {ended}.")
        recorder.rankings["reranked"] = tuple(reranked.hits)
        return reranked

    def _trim(
        self,
        recorder: Recorder,
        question: str,
        vector: np.ndarray,
        index: CorpusIndex,
        candidates: Candidates,
        reranked: Reranked,
        k: int,
    ) -> list[Hit]:
        pool = with_neighbours(
            reranked.hits[: RERANK_DEPTH * k], self._catalog, index.generation.recipe.window
        )
        added = [hit.chunk.id for hit in pool if hit.chunk.id not in candidates.dense_scores]
        trimmed = trim(
            question,
            vector,
            pool,
            k=k,
            idf=index.idf,
            dense={**candidates.dense_scores, **index.dense_scores(vector, added)},
            vectors=reranked.vectors,
            read=self._catalog.text_between,
        )
        trimmed = on_their_pages(trimmed, self._catalog)
        recorder.rankings["trimmed"] = tuple(trimmed)
        recorder.drop(reranked.hits, trimmed, "no sentence of it is among the best")
        return trimmed

    def _current(self, recorder: Recorder, hits: Sequence[Hit]) -> list[Hit]:
        """Return the hits of documents that neither changed nor were deleted since they were found."""
        versions = self._catalog.current_versions(hit.chunk.document_id for hit in hits)
        current = [hit for hit in hits if versions.get(hit.chunk.document_id) == hit.chunk.version]
        recorder.drop(hits, current, "its document changed or was deleted meanwhile")
        return current

    def _fuse(self, candidates: Candidates) -> list[Hit]:
        return fuse_legs(candidates, self._settings.fusion, dense_weight=self._settings.dense_weight)

    def _context(self, question: str, selection: Selection, memory: Memory) -> Context:
        return assemble(
            question,
            selection.hits,
            reading_order(selection, attention=self._settings.order == "attention"),
            limits=self._limits,
            count=self.generator.count_tokens,
            compress=partial(self._compressor.compress, question=question) if self._compressor else None,
            memory=memory_pieces(memory) if self.generator.writes else (),
            system=self._system,
        )

    def check_question(self, question: str, filter_: Filter | None = None) -> None:
        """Raise InvalidInput for a question that is empty, too long, or no whole characters, or for a bad filter."""
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
        most = self._settings.max_question_chars
        if len(question) > most:
            raise InvalidInput(
                f"The question has {len(question):,} characters; expected at most {most:,}. Shorten it."
            )
