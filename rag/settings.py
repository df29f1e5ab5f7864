"""All settings: read once from `ibid.toml` and `IBID_*`, and passed in. Nothing else reads the environment.

A setting has one name. It appears under its group in `ibid.toml` (`dense_candidates` under `[retrieval]`) and in
capitals in the environment (`IBID_DENSE_CANDIDATES`). Later sources win: the defaults below, `ibid.toml` in the
working folder (or the file that IBID_CONFIG names), the environment, the options of a command.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rag.errors import InvalidSettings
from rag.schedule import Schedule, read_schedules


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


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


def _schedules(value: Any) -> Any:
    return value if isinstance(value, tuple) else read_schedules(value)


_DIGITS = re.compile(r"[+-]?\d+")
_Whole = Annotated[int, BeforeValidator(_whole)]
_Number = Annotated[float, BeforeValidator(_number)]
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
        "trunk", "what embeds new corpora: `trunk`, or a sentence-transformers model by name"
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
    dense_weight: _Number = _setting(0.5, "share of the dense score in the average", low=0, high=1)
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


class Settings(BaseSettings):
    """Every setting, in groups. Frozen.

    `Settings(dense_candidates=7, trim=False)` takes flat names and leaves the others at their defaults; it reads
    neither the environment nor a file.

    Raises:
        InvalidSettings: naming key, value and remedy.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", case_sensitive=True)

    service: ServiceSettings = ServiceSettings()
    corpus: CorpusSettings = CorpusSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    writer: WriterSettings = WriterSettings()
    limits: LimitSettings = LimitSettings()
    webhook: WebhookSettings = WebhookSettings()
    # Only in ibid.toml: the tables [schedule.NAME].
    schedule: Annotated[tuple[InstanceOf[Schedule], ...], BeforeValidator(_schedules)] = ()

    def __init__(
        self, *sources: InitSettingsSource, schedule: tuple[Schedule, ...] = (), **flat: Any
    ) -> None:
        """Take the flat names, and the rest from the sources; earlier sources win."""
        given = InitSettingsSource(Settings, {"schedule": schedule} if schedule else {})
        read = (_FlatNames(flat), *sources, given)
        try:
            super().__init__(_build_sources=(read, {}))
        except ValidationError as error:
            raise InvalidSettings(_message(error, read)) from None

    def flat(self) -> dict[str, Any]:
        """Return the settings by their flat names, without the schedule."""
        return {name: getattr(getattr(self, group), name) for name, group in _GROUPS.items()}

    def with_changes(self, **flat: Any) -> Settings:
        """Return a copy with some settings changed, by their flat names.

        The values are not validated: an ablation goes beyond what users may set (`dense_candidates=0`).

        Raises:
            InvalidSettings: if there is no setting of that name.
        """
        changes = _FlatNames(flat)()
        return self.model_copy(
            update={group: getattr(self, group).model_copy(update=table) for group, table in changes.items()}
        )


def load_settings(environment: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """Read the settings once, at the start of a process.

    Args:
        environment: used in place of `os.environ`.
        options: settings by their flat names, such as a command's options; they win. None means not given.

    Raises:
        InvalidSettings: naming key, value and remedy.
    """
    environment = os.environ if environment is None else environment
    named = {key[5:].lower(): value for key, value in environment.items() if key.startswith("IBID_")}
    in_file = _read_file(named.pop("config", ""))
    given = {key: value for key, value in options.items() if value is not None}
    variables = _Environment(named)
    for source in (in_file, variables):  # a value that another one overrides is to be right too
        Settings(source)
    return Settings(variables, in_file, **given)


def secrets() -> set[str]:
    """Return the names of the settings that must not be shown or stored."""
    return {name for name in _GROUPS if _field(name).annotation is SecretStr}


def describe_settings() -> list[tuple[str, str, str, str, str]]:
    """Return (group, IBID_NAME, default, accepted values, meaning) of every setting, in order."""
    fields = ((group, name, _field(name)) for name, group in _GROUPS.items())
    return [
        (group, f"IBID_{name.upper()}", str(field.default), _accepted(field), field.description or "")
        for group, name, field in fields
    ]


# Every setting's group by its flat name, in the order of the groups.
_GROUPS = {
    name: group
    for group, table in Settings.model_fields.items()
    if isinstance(table.default, SettingsGroup)
    for name in type(table.default).model_fields
}


class _FlatNames(InitSettingsSource):
    """Values by flat name, each put into its group."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        tables: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            if name not in _GROUPS:
                raise InvalidSettings(
                    f"{self.shown(name)} is not a setting; the settings are {', '.join(_GROUPS)}."
                )
            tables.setdefault(_GROUPS[name], {})[name] = value
        super().__init__(Settings, tables)

    def shown(self, name: str) -> str:
        """Return a setting's name as this source spells it."""
        return name


class _Environment(_FlatNames):
    def shown(self, name: str) -> str:
        return f"IBID_{name.upper()}"


def _read_file(named: str) -> InitSettingsSource:
    path = Path(named or "ibid.toml")
    if named and not path.is_file():
        raise InvalidSettings(
            f"IBID_CONFIG is {named!r}, which is not a file; expected the path of a TOML file."
        )
    try:
        return TomlConfigSettingsSource(Settings, path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path} is not valid TOML ({error}); fix or remove it.") from error


def _message(error: ValidationError, sources: Iterable[InitSettingsSource]) -> str:
    """Return what was found, what was expected and what to do, for the first error."""
    fault = error.errors(include_url=False)[0]
    group, name = (*map(str, fault["loc"]), "")[:2]
    if fault["type"] == "extra_forbidden":
        return _not_a_setting(group, name)
    if not name:
        given = (
            "a list" if isinstance(fault["input"], list) else repr(str(fault["input"]))
        )  # a list may hold secrets
        return f"{group} in ibid.toml is {given}; expected a table, [{group}]."
    source = next(source for source in sources if name in source().get(group, {}))
    shown = source.shown(name) if isinstance(source, _FlatNames) else f"{group}.{name} in ibid.toml"
    given = "not shown" if name in secrets() else repr(str(source()[group][name]))
    return f"{shown} is {given}; expected {_accepted(_field(name))}."


def _not_a_setting(group: str, name: str) -> str:
    key = name or group
    shown = f"{group}.{name} in ibid.toml" if name else f"{group} in ibid.toml"
    if key in _GROUPS:
        return f"{shown} is in the wrong place; write it below [{_GROUPS[key]}]."
    if name:
        known = [known for known, its in _GROUPS.items() if its == group]
        return f"{shown} is not a setting; those of [{group}] are {', '.join(known)}."
    groups = ", ".join(f"[{known}]" for known in Settings.model_fields)
    return f"{shown} is not a setting; the groups of settings are {groups}."


def _field(name: str) -> FieldInfo:
    defaults: SettingsGroup = Settings.model_fields[_GROUPS[name]].default
    return type(defaults).model_fields[name]


def _accepted(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    if field.annotation is bool:
        return "true or false"
    if field.annotation in (int, float):
        low = next(mark.ge for mark in field.metadata if isinstance(mark, Ge))
        high = next(mark.le for mark in field.metadata if isinstance(mark, Le))
        return f"{'a whole number' if field.annotation is int else 'a number'} from {low} to {high}"
    return "a path" if field.annotation is Path else "text"
