"""All settings: read once from `ibid.toml` and `IBID_*`, and passed in. Nothing else reads the environment.

A setting has one name. It appears under its group in `ibid.toml` (`dense_candidates` under `[retrieval]`) and in
capitals in the environment (`IBID_DENSE_CANDIDATES`). Later sources win: the defaults below, `ibid.toml` in the
working folder (or the file that IBID_CONFIG names), the environment, the options of a command.

groups has a class for each group, schedule the tables `[schedule.NAME]`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import (
    BeforeValidator,
    InstanceOf,
    SecretStr,
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
from rag.settings.groups import (
    AnswerSettings,
    CorpusSettings,
    LimitSettings,
    RetrievalSettings,
    ServiceSettings,
    SettingsGroup,
    WebhookSettings,
    WriterSettings,
)
from rag.settings.schedule import Schedule, read_schedules


def _schedules(value: Any) -> Any:
    return value if isinstance(value, tuple) else read_schedules(value)


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
    for source in (in_file, variables):  # an overridden value must be valid too
        Settings(source)
    return Settings(variables, in_file, **given)


def secrets() -> set[str]:
    """Return the names of the settings that must not be shown or stored."""
    return {name for name in _GROUPS if _field(name).annotation is SecretStr}


def describe_settings() -> list[tuple[str, str, str, str, str]]:
    """Return (group, IBID_NAME, default, accepted values, meaning) of every setting, in order."""
    fields = ((group, name, _field(name)) for name, group in _GROUPS.items())
    return [
        (group, f"IBID_{name.upper()}", _default(field), _accepted(field), field.description or "")
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


def _default(field: FieldInfo) -> str:
    return "" if field.default is None else str(field.default)


def _accepted(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    if field.annotation is bool:
        return "true or false"
    if field.annotation in (int, float, float | None):
        low = next(mark.ge for mark in field.metadata if isinstance(mark, Ge))
        high = next(mark.le for mark in field.metadata if isinstance(mark, Le))
        return f"{'a whole number' if field.annotation is int else 'a number'} from {low} to {high}"
    return "a path" if field.annotation is Path else "text"
