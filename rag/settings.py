"""All settings, read once from `ibid.toml` and `IBID_*` and passed in. Nothing else reads the environment.

Order, later wins: the defaults below, `ibid.toml` in the working folder (or where IBID_CONFIG points),
environment variables named IBID_ and the field in capitals.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import InvalidSettings
from rag.schedule import Schedule, read_schedules


def _setting(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: str = "",
    secret: bool = False,
) -> Any:
    metadata = {"meaning": meaning, "low": low, "high": high, "choices": choices.split(), "secret": secret}
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default, meaning and accepted values; README's table is made from it."""

    home: Path = _setting(Path("ibid-data"), "the data folder: catalogue, originals, index snapshots")
    host: str = _setting("127.0.0.1", "address that `ibid serve` binds to")
    port: int = _setting(8000, "port that `ibid serve` binds to", low=0, high=65535)
    allowed_hosts: str = _setting(
        "localhost,127.0.0.1,::1", "names by which the service may be asked (Host), by comma; `*` for any"
    )

    embedder: str = _setting(
        "trunk", "what embeds new corpora: `trunk`, or a sentence-transformers model by name"
    )
    encoder_threads: int = _setting(0, "encoder threads; 0 means one for each core", low=0, high=256)
    chunker: str = _setting(
        "packed",
        "how the documents of new corpora are cut",
        choices="packed max_min cluster sentence_window token",
    )
    chunk_tokens: int = _setting(
        254, "most tokens of their chunks, in the embedder's own tokens", low=16, high=8192
    )

    lexical: str = _setting(
        "bm25", "the engine by words; `rank_bm25` is the slow reference", choices="bm25 rank_bm25"
    )
    dense_candidates: int = _setting(15, "chunks that `ask` retrieves by meaning", low=1, high=1000)
    lexical_candidates: int = _setting(5, "chunks that `ask` retrieves by words", low=0, high=1000)
    fusion: str = _setting("average", "how the two lists are fused", choices="average reciprocal_rank")
    dense_weight: float = _setting(0.5, "share of the dense score in the average", low=0, high=1)
    reranker: str = _setting(
        "late_interaction",
        "what reranks: `late_interaction`, `pack`, a CrossEncoder by path or hub name, or `none`",
    )
    rerank_deadline_ms: int = _setting(
        2000, "reranking later than this keeps the fused order", low=1, high=600000
    )
    trim: bool = _setting(True, "trim hits to the sentences that matter")
    evidence_least: int = _setting(3, "chunks kept as evidence even when the tail is weak", low=1, high=100)
    evidence_most: int = _setting(5, "most chunks kept as evidence", low=1, high=100)
    order: str = _setting(
        "attention",
        "reading order of the evidence; `attention` puts the best at both ends",
        choices="attention rank",
    )

    strategy: str = _setting(
        "auto",
        "what of the documents a prompt shows; `auto` chooses by question and generator",
        choices="auto retrieval whole_document summary_then_detail",
    )
    budget_tokens: int = _setting(
        4096, "B, the whole prompt: S + T + H + R + U and what is left", low=256, high=2_000_000
    )
    evidence_tokens: int = _setting(2048, "R, most tokens of evidence", low=64, high=2_000_000)
    reader: str = _setting(
        "pack", "what finds short answers: `pack`, a question-answering model by path or hub name, or `none`"
    )
    compressor: str = _setting(
        "pack",
        "what compresses evidence beyond its budget: `pack`, a token classifier by path or hub name, or `none`",
    )
    compression: float = _setting(
        1.0,
        "how many times shorter long prose is made as evidence, even where it fits; 1 only beyond the budget",
        low=1,
        high=3,
    )
    judge: str = _setting(
        "pack",
        "what judges whether evidence supports a written answer: `pack`, or a sequence classifier by path or hub name",
    )
    generator: str = _setting(
        "extractive",
        "what writes answers: `extractive`, `openai` (a server), or a causal model by path or hub name",
    )
    generator_url: str = _setting("", "address of the server, such as http://127.0.0.1:8080/v1", secret=True)
    generator_model: str = _setting("", "the server's name of its model")
    generator_api_key: str = _setting("", "the server's key, where it wants one", secret=True)
    generator_timeout_s: int = _setting(
        60, "longest wait for the server, and between two pieces of its text, in seconds", low=1, high=3600
    )
    generator_thinks: bool = _setting(False, "let the model think step by step before it answers")
    generator_tokens: int = _setting(400, "most tokens of a written answer", low=16, high=16_384)
    answer_sentences: int = _setting(3, "most sentences of an extractive answer", low=1, high=50)
    answer_words: int = _setting(120, "most words of an extractive answer", low=10, high=5000)
    refuse_below: float = _setting(0.15, "confidence below which `ask` refuses", low=0, high=1)

    max_file_mb: int = _setting(100, "largest file that is accepted, in MB", low=1, high=100_000)
    max_unpacked_mb: int = _setting(300, "most that a zipped file may unpack to, in MB", low=1, high=100_000)
    max_pages: int = _setting(5000, "most pages, slides or sheets of one document", low=1, high=1_000_000)
    parse_memory_mb: int = _setting(
        1000, "most memory that reading one file may take, in MB", low=100, high=1_000_000
    )
    parse_timeout_s: int = _setting(
        180, "longest that reading one file may take, in seconds", low=1, high=86_400
    )
    max_question_chars: int = _setting(8000, "longest question, in characters", low=100, high=1_000_000)

    webhook_url: str = _setting("", "where `ibid sync` posts what it did, as JSON", secret=True)
    webhook_secret: str = _setting("", "signs those posts, see README's section on cron", secret=True)

    schedule: tuple[Schedule, ...] = ()  # of ibid.toml alone: the tables [schedule.NAME]

    def limits(self) -> tuple[int, int, int]:
        """Return (most bytes of a file, most bytes unpacked, most pages)."""
        return self.max_file_mb * 1_000_000, self.max_unpacked_mb * 1_000_000, self.max_pages


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings once, at the start of a process.

    Args:
        environment: stands in for `os.environ`.
        overrides: fields set by the caller, such as command-line options; they win.

    Raises:
        InvalidSettings: naming key, value and remedy.
    """
    environment = os.environ if environment is None else environment
    in_file = _read_file(environment)
    values: dict[str, Any] = {"schedule": read_schedules(in_file.pop("schedule", {}))}
    for source, table in (("ibid.toml", in_file), ("IBID_", _read_environment(environment))):
        for key, value in table.items():
            shown = f"IBID_{key.upper()}" if source == "IBID_" else f"{key} in ibid.toml"
            values[key] = _checked(key, value, shown)
    values.update({key: _checked(key, value, key) for key, value in overrides.items() if value is not None})
    return Settings(**values)


def secrets() -> set[str]:
    """Return the names of the settings that are not to be shown or kept."""
    return {name for name, setting in _FIELDS.items() if setting.metadata["secret"]}


def describe_settings() -> list[tuple[str, str, str, str]]:
    """Return (IBID_NAME, default, accepted values, meaning) of every setting, in order."""
    return [
        (f"IBID_{s.name.upper()}", str(s.default), _accepted(s), s.metadata["meaning"])
        for s in _FIELDS.values()
    ]


_FIELDS = {setting.name: setting for setting in dataclasses.fields(Settings) if setting.metadata}


def _read_file(environment: Mapping[str, str]) -> dict[str, Any]:
    named = environment.get("IBID_CONFIG")
    path = Path(named or "ibid.toml")
    if not path.is_file():
        if named:
            raise InvalidSettings(
                f"IBID_CONFIG is {named!r}, which is not a file; expected the path of a TOML file."
            )
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path} is not valid TOML ({error}); mend or remove it.") from error


def _read_environment(environment: Mapping[str, str]) -> dict[str, str]:
    named = {key[5:].lower(): value for key, value in environment.items() if key.startswith("IBID_")}
    named.pop("config", None)
    return named


def _checked(key: str, value: Any, shown: str) -> Any:
    if key not in _FIELDS:
        raise InvalidSettings(f"{shown} is not a setting; the settings are {', '.join(_FIELDS)}.")
    setting = _FIELDS[key]
    if value == setting.default == "":
        return ""
    try:
        converted = _converted(type(setting.default), value)
    except (ValueError, TypeError, OverflowError, RuntimeError):  # Runtime: `~someone` without a home
        converted = None
    low, high, choices = (setting.metadata[name] for name in ("low", "high", "choices"))
    outside = converted is None or (low is not None and not low <= converted <= high)
    if outside or (choices and converted not in choices):
        given = "not shown" if setting.metadata["secret"] else repr(str(value))
        raise InvalidSettings(f"{shown} is {given}; expected {_accepted(setting)}.")
    return converted


def _converted(kind: Any, value: Any) -> Any:
    if kind is bool:
        word = str(value).lower()
        if word not in ("true", "false", "1", "0"):
            raise ValueError
        return word in ("true", "1")
    words = issubclass(kind, Path | str)  # given as text alone; a number comes as a number or as text
    if isinstance(value, bool) or (words and not isinstance(value, Path | str)):
        raise ValueError
    if words and (not str(value) or "\0" in str(value)):
        raise ValueError
    if kind is int and isinstance(value, float) and value != int(value):
        raise ValueError
    return Path(value).expanduser() if issubclass(kind, Path) else kind(value)


def _accepted(setting: dataclasses.Field[Any]) -> str:
    kind: Any = type(setting.default)
    meta = setting.metadata
    if meta["choices"]:
        return " or ".join(meta["choices"])
    if kind is bool:
        return "true or false"
    if meta["low"] is not None:
        noun = "a whole number" if kind is int else "a number"
        return f"{noun} from {meta['low']} to {meta['high']}"
    return "a path" if issubclass(kind, Path) else "text"
