"""The models that the settings choose for the stages of the question path."""

from __future__ import annotations

from rag.answer.causal import CausalModel
from rag.answer.extractive import Extractive, Generator
from rag.answer.openai_client import ServerModel
from rag.answer.writer import LanguageModel, Writer
from rag.models.compress import Compressor, load_compressor
from rag.models.cross_encoder import CrossEncoder, load_cross_encoder
from rag.models.embed import Embedder
from rag.models.judge import load_judge
from rag.models.reader import Reader, load_reader
from rag.settings import Settings


def generator(settings: Settings, embedder: Embedder) -> Generator:
    """Return what writes the answers."""
    extractive = Extractive(
        embedder, _reader(settings), sentences=settings.answer_sentences, words=settings.answer_words
    )
    if settings.generator == "extractive":
        return extractive
    judge = load_judge(settings.judge, threads=settings.encoder_threads)
    return Writer(_language_model(settings), judge, embedder, extractive)


def with_embedder(generator: Generator, embedder: Embedder) -> Generator:
    """Return a generator with another embedding model; its other models are shared."""
    return generator.over(embedder) if isinstance(generator, Extractive | Writer) else generator


def compressor(settings: Settings) -> Compressor | None:
    """Return what compresses evidence beyond its budget, None where it is only cut."""
    if settings.compressor == "none":
        return None
    return load_compressor(settings.compressor, threads=settings.encoder_threads)


def cross_encoder(settings: Settings) -> CrossEncoder | None:
    """Return what reranks besides late interaction, None where nothing does."""
    if settings.reranker in ("late_interaction", "none"):
        return None
    return load_cross_encoder(settings.reranker, threads=settings.encoder_threads)


def _language_model(settings: Settings) -> LanguageModel:
    if settings.generator == "openai":
        return ServerModel(
            settings.generator_url,
            settings.generator_model,
            api_key=settings.generator_api_key,
            timeout_s=settings.generator_timeout_s,
            most_tokens=settings.generator_tokens,
        )
    return CausalModel(
        settings.generator, threads=settings.encoder_threads, most_tokens=settings.generator_tokens
    )


def _reader(settings: Settings) -> Reader | None:
    if settings.reader == "none":
        return None
    return load_reader(settings.reader, threads=settings.encoder_threads)
