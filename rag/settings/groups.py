"""The groups of settings: one class for each table of `ibid.toml`, with defaults, bounds and meanings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


def _number_or_none(value: Any) -> Any:
    return None if value == "" else _number(value)


def _whole(value: Any) -> Any:
    if isinstance(value, str) and not _DIGITS.fullmatch(value.strip()):
        raise ValueError("not digits alone")
    return _number(value)


def _without_nul(secret: SecretStr) -> SecretStr:
    if "\0" in secret.get_secret_value():
        raise ValueError("holds NUL")
    return secret


def _switch(value: Any) -> bool:
    word = str(value).lower()
    if word not in ("true", "false", "1", "0"):
        raise ValueError("neither true nor false")
    return word in ("true", "1")


def _folder(value: Any) -> Path:
    if not isinstance(value, Path | str) or not str(value) or "\0" in str(value):
        raise ValueError("no path")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # `~someone` without a home
        raise ValueError("no path") from error


_DIGITS = re.compile(r"[+-]?\d+")
_Whole = Annotated[int, BeforeValidator(_whole)]
_Number = Annotated[float, BeforeValidator(_number)]
_OptionalNumber = Annotated[float | None, BeforeValidator(_number_or_none)]
_Switch = Annotated[bool, BeforeValidator(_switch)]
_Secret = Annotated[SecretStr, AfterValidator(_without_nul)]
_Folder = Annotated[Path, BeforeValidator(_folder)]
_Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$")]
_TextOrNone = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


def _setting(default: Any, meaning: str, *, low: float | None = None, high: float | None = None) -> Any:
    return Field(default=default, description=meaning, ge=low, le=high)


class SettingsGroup(BaseModel):
    """The settings of one table of `ibid.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServiceSettings(SettingsGroup):
    """`[service]`: where the data folder is, and how the process runs and is reached."""

    home: _Folder = _setting(Path("ibid-data"), "the data folder: catalogue, originals, index snapshots")
    host: _Text = _setting("127.0.0.1", "address that `ibid serve` binds to")
    port: _Whole = _setting(8000, "port that `ibid serve` binds to", low=0, high=65535)
    allowed_hosts: _Text = _setting(
        "localhost,127.0.0.1,::1", "names by which the service may be asked (Host), by comma; `*` for any"
    )
    encoder_threads: _Whole = _setting(0, "encoder threads; 0 means one for each core", low=0, high=256)


class CorpusSettings(SettingsGroup):
    """`[corpus]`: how new corpora are made. An existing corpus keeps its own recipe."""

    embedder: _Text = _setting(
        "auto",
        "what embeds new corpora: `trunk` (English), `multilingual` (the extra), a sentence-transformers model by "
        "name, or `auto`: by the language of what comes first",
    )
    chunker: Literal["packed", "max_min", "cluster", "sentence_window", "token"] = _setting(
        "packed", "how the documents of new corpora are cut"
    )
    chunk_tokens: _Whole = _setting(
        254, "most tokens of their chunks, in the embedder's own tokens", low=16, high=8192
    )


class RetrievalSettings(SettingsGroup):
    """`[retrieval]`: which chunks become evidence, and in which order."""

    lexical: Literal["bm25", "rank_bm25"] = _setting(
        "bm25", "the engine by words; `rank_bm25` is the slow reference"
    )
    dense_candidates: _Whole = _setting(15, "chunks that `ask` retrieves by meaning", low=1, high=1000)
    lexical_candidates: _Whole = _setting(5, "chunks that `ask` retrieves by words", low=0, high=1000)
    fusion: Literal["average", "reciprocal_rank"] = _setting("average", "how the two lists are fused")
    dense_weight: _OptionalNumber = _setting(
        None,
        "share of the dense score in the average; if not set, what suits the embedder: .5, `multilingual` .85",
        low=0,
        high=1,
    )
    document_weight: _Number = _setting(
        0.5,
        "weight of which document the question means, beside the fused score; 0 leaves it out",
        low=0,
        high=5,
    )
    reranker: _Text = _setting(
        "late_interaction",
        "what reranks: `late_interaction`, `pack`, a CrossEncoder by path or hub name, or `none`",
    )
    rerank_deadline_ms: _Whole = _setting(
        2000, "reranking later than this keeps the fused order", low=1, high=600_000
    )
    trim: _Switch = _setting(True, "trim hits to the sentences that matter")
    evidence_least: _Whole = _setting(
        3, "chunks kept as evidence even when the tail is weak", low=1, high=100
    )
    evidence_most: _Whole = _setting(5, "most chunks kept as evidence", low=1, high=100)
    order: Literal["attention", "rank"] = _setting(
        "attention", "reading order of the evidence; `attention` puts the best at both ends"
    )


class AnswerSettings(SettingsGroup):
    """`[answer]`: what a prompt contains, and when the evidence suffices."""

    strategy: Literal["auto", "retrieval", "whole_document", "summary_then_detail"] = _setting(
        "auto", "what of the documents a prompt shows; `auto` chooses by question and generator"
    )
    budget_tokens: _Whole = _setting(
        4096, "B, the whole prompt: S + T + H + R + U and what is left", low=256, high=2_000_000
    )
    evidence_tokens: _Whole = _setting(2048, "R, most tokens of evidence", low=64, high=2_000_000)
    reader: _Text = _setting(
        "pack", "what finds short answers: `pack`, a question-answering model by path or hub name, or `none`"
    )
    compressor: _Text = _setting(
        "pack",
        "what compresses evidence beyond its budget: `pack`, a token classifier by path or hub name, or `none`",
    )
    compression: _Number = _setting(
        1.0,
        "how many times shorter long prose is made as evidence, even where it fits; 1 only beyond the budget",
        low=1,
        high=3,
    )
    judge: _Text = _setting(
        "pack",
        "what judges whether evidence supports a written answer: `pack`, or a sequence classifier by path or hub name",
    )
    answer_sentences: _Whole = _setting(3, "most sentences of an extractive answer", low=1, high=50)
    answer_words: _Whole = _setting(120, "most words of an extractive answer", low=10, high=5000)
    refuse_below: _Number = _setting(0.15, "confidence below which `ask` refuses", low=0, high=1)


class WriterSettings(SettingsGroup):
    """`[writer]`: what writes the answers."""

    generator: _Text = _setting(
        "extractive",
        "what writes answers: `extractive`, `openai` (a server), or a causal model by path or hub name",
    )
    generator_url: _Secret = _setting(
        SecretStr(""), "address of the server, such as http://127.0.0.1:8080/v1"
    )
    generator_model: _TextOrNone = _setting("", "the server's name of its model")
    generator_api_key: _Secret = _setting(SecretStr(""), "the server's key, where it wants one")
    generator_timeout_s: _Whole = _setting(
        60, "longest wait for the server, and between two pieces of its text, in seconds", low=1, high=3600
    )
    generator_thinks: _Switch = _setting(False, "let the model think step by step before it answers")
    generator_tokens: _Whole = _setting(400, "most tokens of a written answer", low=16, high=16_384)


class LimitSettings(SettingsGroup):
    """`[limits]`: what is accepted, and what reading a file may cost."""

    max_file_mb: _Whole = _setting(100, "largest file that is accepted, in MB", low=1, high=100_000)
    max_unpacked_mb: _Whole = _setting(
        300, "most that a zipped file may unpack to, in MB", low=1, high=100_000
    )
    max_pages: _Whole = _setting(5000, "most pages, slides or sheets of one document", low=1, high=1_000_000)
    parse_memory_mb: _Whole = _setting(
        1000, "most memory that reading one file may take, in MB", low=100, high=1_000_000
    )
    parse_timeout_s: _Whole = _setting(
        180, "longest that reading one file may take, in seconds", low=1, high=86_400
    )
    max_question_chars: _Whole = _setting(8000, "longest question, in characters", low=100, high=1_000_000)

    @property
    def max_file_bytes(self) -> int:
        """The largest file that is accepted, in bytes."""
        return self.max_file_mb * 1_000_000

    @property
    def max_unpacked_bytes(self) -> int:
        """The most that a zipped file may unpack to, in bytes."""
        return self.max_unpacked_mb * 1_000_000


class WebhookSettings(SettingsGroup):
    """`[webhook]`: who is notified of a sync."""

    webhook_url: _Secret = _setting(SecretStr(""), "where `ibid sync` posts what it did, as JSON")
    webhook_secret: _Secret = _setting(SecretStr(""), "signs those posts: docs/sync.md")
