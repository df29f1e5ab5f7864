"""The stages of the question path as one frozen value, and the models that the settings choose for them.

An ablation or a planted fault is another value: `replace(stages, fuse=reversed_fusion)`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from rag.answer.conflicts.find import find_conflicts
from rag.answer.extractive import Extractive
from rag.answer.generator import Generator, LanguageModel, OnPart
from rag.answer.prompts import SYSTEM, THINKING
from rag.answer.strategy import Selection, Selector
from rag.answer.verify import verify
from rag.answer.writer import Writer
from rag.assemble import Assembler, Limits
from rag.models.compress import Compressed, Compressor, load_compressor
from rag.models.cross_encoder import CrossEncoder, load_cross_encoder
from rag.models.embed import Embedder, MultilingualEmbedder, dense_weight_of, embed_question, embedder_of
from rag.models.evidence import load_evidence_model
from rag.models.judge import load_judge
from rag.models.pack import PACKAGED
from rag.models.reader import load_reader
from rag.rerank import LateInteraction, Reranked
from rag.retrieve import Request, fuse_legs, retrieve
from rag.rewrite import rewrite_within
from rag.settings import Settings
from rag.store.catalog import Catalog
from rag.store.generations import Generation
from rag.trim import keep_evidence, trim_candidates
from rag.types import Candidates, Citation, Conflict, Context, Draft, Hit, Memory


@dataclass(frozen=True, slots=True)
class Stages:
    """What a question passes through, in order. Each is a function of what the previous stages returned."""

    rewrite: Callable[[str, Sequence[str]], str]  # the question and the conversation so far, oldest first
    embed: Callable[[str], np.ndarray]  # to a unit vector (dim,)
    retrieve: Callable[[Request], Candidates]
    fuse: Callable[[Candidates], list[Hit]]
    rerank: Callable[[Request, list[Hit]], Reranked] | None  # None keeps the fused order
    trim: Callable[[Request, Candidates, Reranked], list[Hit]] | None  # None keeps the first k chunks whole
    keep: Callable[[list[Hit]], list[Hit]]  # which of the hits are evidence
    # The question, the evidence, all that was fused
    select: Callable[[str, list[Hit], Sequence[Hit]], Selection]
    assemble: Callable[[str, Selection, Memory], Context]
    generate: Callable[[Context, OnPart], Draft]
    verify: Callable[[Draft, Context, str], tuple[Citation, ...]]  # the last argument is the corpus
    compare: Callable[[Context, Sequence[Citation], str], tuple[Conflict, ...]]  # likewise


class ModelSet:
    """The models of the question path, each loaded on first use. Safe for several threads.

    Args:
        generator, compressor: replace those that the settings choose.
        shared: models whose compressor, cross-encoder and generator are reused here, the generator with this embedder.
    """

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        generator: Generator | None = None,
        compressor: Compressor | None = None,
        shared: ModelSet | None = None,
    ) -> None:
        self.embedder = embedder
        self._settings, self._shared = settings, shared
        self._generator, self._compressor = generator, compressor
        self._lock = threading.RLock()
        if shared is None and compressor is None and settings.answer.compressor not in ("pack", "none"):
            # A model by path or hub name that does not load is reported now, not with the first long
            # evidence.
            self._compressor = load_compressor(
                settings.answer.compressor, threads=settings.service.encoder_threads
            )

    def over(self, embedder: Embedder) -> ModelSet:
        """Return the same models with another embedding model."""
        return ModelSet(self._settings, embedder, shared=self)

    @property
    def generator(self) -> Generator:
        """What writes the answers; searching and ingesting need none."""
        with self._lock:
            if self._generator is None:
                if self._shared:
                    self._generator = _with_embedder(self._shared.generator, self.embedder)
                else:
                    self._generator = load_generator(self._settings, self.embedder)
            return self._generator

    @property
    def compressor(self) -> Compressor | None:
        """What compresses evidence that exceeds its budget; None if it is only cut."""
        if self._shared:
            return self._shared.compressor
        with self._lock:
            if self._compressor is None and self._settings.answer.compressor == "pack":
                self._compressor = load_compressor(threads=self._settings.service.encoder_threads)
            return self._compressor

    @cached_property
    def cross_encoder(self) -> CrossEncoder | None:
        """What reranks besides late interaction, or None; the packaged one reads English only."""
        chosen, threads = self._settings.retrieval.reranker, self._settings.service.encoder_threads
        if chosen == PACKAGED:  # one for the process, see `pack_runner`
            english = not isinstance(self.embedder, MultilingualEmbedder)
            return load_cross_encoder(chosen, threads=threads) if english else None
        if self._shared:
            return self._shared.cross_encoder
        if chosen in ("late_interaction", "none"):
            return None
        return load_cross_encoder(chosen, threads=threads)

    def generate(self, context: Context, on_part: OnPart) -> Draft:
        """Write a draft from a context."""
        return self.generator.generate(context, on_part)

    def compress(self, text: str, rate: float, question: str) -> Compressed:
        """Keep about the share `rate` of a text: the words that matter most to the question."""
        assert self.compressor is not None
        return self.compressor.compress(text, rate, question=question)

    @property
    def summarize(self) -> Callable[[str], str] | None:
        """What summarises an exchange: the language model if one writes the answers, else None."""
        return self.generator.summarize if isinstance(self.generator, Writer) else None

    def warm_up(self) -> None:
        """Load the models that only some questions need."""
        if self.compressor:
            self.compressor.warm_up()


class StagesByModel:
    """The stages for each embedding model that generations were made with, built on first use.

    Args:
        stages: the stages over `models.embedder`, in place of those that the settings describe.
    """

    def __init__(
        self, settings: Settings, catalog: Catalog, models: ModelSet, stages: Stages | None = None
    ) -> None:
        self._settings, self._catalog, self._models = settings, catalog, models
        self._replaced = stages is not None
        own = stages or make_stages(settings, catalog, models)
        self._stages = {models.embedder.fingerprint: own}
        self._lock = threading.Lock()

    def embedder(self, generation: Generation) -> Embedder:
        """Return the embedding model of a generation.

        Raises:
            OtherEmbedder: if it is unavailable.
        """
        threads = self._settings.service.encoder_threads
        return embedder_of(generation.corpus, generation.recipe, self._models.embedder, threads=threads)

    def over(self, generation: Generation) -> Stages:
        """Return the stages over the embedding model of a generation; all other models are shared.

        Raises:
            ValueError: if the stages were replaced, and are over another model: an ablation would be lost in silence.
        """
        embedder = self.embedder(generation)
        with self._lock:
            if embedder.fingerprint not in self._stages:
                if self._replaced:
                    raise ValueError(
                        f"The stages are over another embedding model than generation {generation.id} of "
                        f"{generation.corpus!r}."
                    )
                models = self._models.over(embedder)
                self._stages[embedder.fingerprint] = make_stages(self._settings, self._catalog, models)
            return self._stages[embedder.fingerprint]


def make_stages(settings: Settings, catalog: Catalog, models: ModelSet) -> Stages:
    """Return the stages that the settings describe.

    Raises:
        ModelError: if a model other than the packaged ones does not load; the packaged ones load on first use.
    """
    retrieval, answer = settings.retrieval, settings.answer
    dense_weight = retrieval.dense_weight
    if dense_weight is None:
        dense_weight = dense_weight_of(models.embedder)
    # The evidence model reads English only
    english = not isinstance(models.embedder, MultilingualEmbedder)
    evidence = partial(load_evidence_model, threads=settings.service.encoder_threads) if english else None
    reranker = LateInteraction(
        models.embedder, models.cross_encoder, deadline_ms=retrieval.rerank_deadline_ms
    )
    assembler = Assembler(
        Limits(answer.budget_tokens, answer.evidence_tokens, answer.compression),
        Selector(answer.strategy, catalog, models.embedder),
        lambda: models.generator,
        None if answer.compressor == "none" else models.compress,
        attention=retrieval.order == "attention",
        system=SYSTEM + THINKING if settings.writer.generator_thinks else SYSTEM,
    )
    return Stages(
        rewrite=partial(rewrite_within, most_chars=settings.limits.max_question_chars),
        embed=partial(embed_question, models.embedder),
        retrieve=partial(retrieve, scoped=retrieval.document_weight > 0),
        fuse=partial(
            fuse_legs,
            fusion=retrieval.fusion,
            dense_weight=dense_weight,
            document_weight=retrieval.document_weight,
        ),
        rerank=None if retrieval.reranker == "none" else reranker.rerank_candidates,
        trim=partial(
            trim_candidates,
            catalog=catalog,
            document_weight=retrieval.document_weight,
            word_share=1 - dense_weight_of(models.embedder),
            evidence=evidence,
        )
        if retrieval.trim
        else None,
        keep=partial(keep_evidence, least=retrieval.evidence_least, most=retrieval.evidence_most),
        select=assembler.select,
        assemble=assembler.assemble,
        generate=models.generate,
        verify=partial(verify, catalog=catalog),
        compare=partial(find_conflicts, catalog=catalog, embedder=models.embedder),
    )


def load_generator(settings: Settings, embedder: Embedder) -> Generator:
    """Return what writes the answers."""
    answer, threads = settings.answer, settings.service.encoder_threads
    reader = None if answer.reader == "none" else load_reader(answer.reader, threads=threads)
    evidence = load_evidence_model(threads=threads)
    extractive = Extractive(
        embedder, evidence, reader, sentences=answer.answer_sentences, words=answer.answer_words
    )
    if settings.writer.generator == "extractive":
        return extractive
    judge = load_judge(answer.judge, threads=threads)
    return Writer(_language_model(settings), judge, embedder, extractive)


def _language_model(settings: Settings) -> LanguageModel:
    writer = settings.writer
    if writer.generator == "openai":
        from rag.answer.openai_client import OpenAIClient

        return OpenAIClient(
            writer.generator_url.get_secret_value(),
            writer.generator_model,
            api_key=writer.generator_api_key.get_secret_value(),
            timeout_s=writer.generator_timeout_s,
            most_tokens=writer.generator_tokens,
        )
    from rag.answer.causal import CausalModel

    return CausalModel(
        writer.generator, threads=settings.service.encoder_threads, most_tokens=writer.generator_tokens
    )


def _with_embedder(generator: Generator, embedder: Embedder) -> Generator:
    """Return a generator with another embedding model; its other models are shared."""
    return generator.over(embedder) if isinstance(generator, Extractive | Writer) else generator
