"""Settings: where they come from, which wins, and the message for a bad one."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rag.errors import InvalidSettings
from rag.settings import Settings, describe_settings, load_settings, secrets


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def from_file(text: str, environment: dict[str, str] | None = None, **overrides: Any) -> Settings:
    Path("ibid.toml").write_text(text, encoding="utf-8")
    return load_settings(environment or {}, **overrides)


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings({}) == Settings()
    assert load_settings({"HOME": "/root", "ibid_port": "1", "IBIDX_PORT": "2"}) == Settings()


def test_later_sources_win() -> None:
    text = '[service]\nport = 1\nhost = "file"\n[corpus]\nembedder = "file"\n'
    loaded = from_file(text, {"IBID_HOST": "variable", "IBID_EMBEDDER": "variable"}, embedder="option")
    assert (loaded.service.port, loaded.service.host, loaded.corpus.embedder) == (1, "variable", "option")
    assert from_file(text, port=None).service.port == 1  # an option that was not given


def test_the_file_may_lie_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text("[service]\nport = 5\n")
    assert from_file("[service]\nport = 4\n", {"IBID_CONFIG": str(path)}).service.port == 5
    assert from_file("[service]\nport = 4\n", {"IBID_CONFIG": ""}).service.port == 4
    with pytest.raises(InvalidSettings, match=r"IBID_CONFIG is 'none.toml', which is not a file; expected"):
        load_settings({"IBID_CONFIG": "none.toml"})


@pytest.mark.parametrize(
    ("key", "given", "value"),
    [
        ("port", "0", 0),
        ("port", " 65535 ", 65535),
        ("dense_weight", "1", 1.0),
        ("dense_weight", "1e-1", 0.1),
        ("trim", "FALSE", False),
        ("trim", "1", True),
        ("home", "/data/ibid", Path("/data/ibid")),
        ("home", "~/x", Path.home() / "x"),
        ("chunker", "max_min", "max_min"),
        ("embedder", "BAAI/bge-small-en-v1.5", "BAAI/bge-small-en-v1.5"),
    ],
)
def test_good_values_by_environment(key: str, given: str, value: Any) -> None:
    found = load_settings({f"IBID_{key.upper()}": given}).flat()[key]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "given", "remedy"),
    [
        ("dense_candidates", "ten", "expected a whole number from 1 to 1000."),
        ("dense_candidates", "", "expected a whole number from 1 to 1000."),
        ("dense_candidates", "0", "expected a whole number from 1 to 1000."),
        ("dense_candidates", "1001", "expected a whole number from 1 to 1000."),
        ("dense_candidates", "7.5", "expected a whole number from 1 to 1000."),
        ("port", "9" * 5000, "expected a whole number from 0 to 65535."),
        ("dense_weight", "nan", "expected a number from 0 to 1."),
        ("dense_weight", "inf", "expected a number from 0 to 1."),
        ("dense_weight", "-0.1", "expected a number from 0 to 1."),
        ("trim", "yes", "expected true or false."),
        ("trim", "", "expected true or false."),
        ("chunker", "Packed", "expected packed or max_min or cluster or sentence_window or token."),
        ("home", "", "expected a path."),
        ("home", "~nobody-of-this-name/x", "expected a path."),
        ("embedder", "", "expected text."),
    ],
)
def test_bad_values_by_environment_name_key_value_and_remedy(key: str, given: str, remedy: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings({f"IBID_{key.upper()}": given})
    assert str(caught.value) == f"IBID_{key.upper()} is {given!r}; {remedy}"


@pytest.mark.parametrize(
    ("group", "line", "message"),
    [
        (
            "service",
            'port = "x"',
            "service.port in ibid.toml is 'x'; expected a whole number from 0 to 65535.",
        ),
        (
            "service",
            "port = 8000.7",
            "service.port in ibid.toml is '8000.7'; expected a whole number from 0 to 65535.",
        ),
        (
            "service",
            "port = inf",
            "service.port in ibid.toml is 'inf'; expected a whole number from 0 to 65535.",
        ),
        (
            "service",
            "port = nan",
            "service.port in ibid.toml is 'nan'; expected a whole number from 0 to 65535.",
        ),
        (
            "service",
            "port = true",
            "service.port in ibid.toml is 'True'; expected a whole number from 0 to 65535.",
        ),
        (
            "service",
            "port = [1]",
            "service.port in ibid.toml is '[1]'; expected a whole number from 0 to 65535.",
        ),
        ("retrieval", "trim = 2", "retrieval.trim in ibid.toml is '2'; expected true or false."),
        ("service", "home = 5", "service.home in ibid.toml is '5'; expected a path."),
        ("service", 'home = "a\\u0000b"', "service.home in ibid.toml is 'a\\x00b'; expected a path."),
        ("corpus", "embedder = true", "corpus.embedder in ibid.toml is 'True'; expected text."),
        ("corpus", "embedder = 2024-01-01", "corpus.embedder in ibid.toml is '2024-01-01'; expected text."),
    ],
)
def test_bad_values_in_the_file_name_key_value_and_remedy(group: str, line: str, message: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        from_file(f"[{group}]\n{line}\n")
    assert str(caught.value) == message


def test_whole_numbers_and_switches_in_the_file() -> None:
    loaded = from_file("[service]\nport = 80.0\n[retrieval]\ntrim = false\ndense_weight = 1\n")
    retrieval = loaded.retrieval
    assert (loaded.service.port, retrieval.trim, retrieval.dense_weight) == (80, False, 1.0)


@pytest.mark.parametrize("text", ["port == 1", "port = 1\nport = 2", "[", "\ufeffport = 1"])
def test_a_file_that_is_not_toml_is_named(text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"ibid.toml is not valid TOML \(.*\); fix or remove it"):
        from_file(text)


def test_a_file_that_is_not_utf8_is_named() -> None:
    Path("ibid.toml").write_bytes(b'host = "\xff"')
    with pytest.raises(InvalidSettings, match=r"ibid.toml is not valid TOML"):
        load_settings({})


def test_unknown_keys_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        InvalidSettings, match=r"IBID_PROT is not a setting; the settings are home, host, port"
    ):
        load_settings({"IBID_PROT": "1"})
    with pytest.raises(InvalidSettings, match="prot is not a setting"):
        load_settings({}, prot=1)
    with pytest.raises(InvalidSettings, match="port is '-1'; expected"):
        load_settings({}, port=-1)
    with pytest.raises(InvalidSettings, match=r"server in ibid.toml is not a setting"):
        from_file("[server]\nport = 1\n")


def test_every_setting_is_described_and_its_default_accepted() -> None:
    rows = describe_settings()
    assert [name for _, name, *_ in rows] == [f"IBID_{name.upper()}" for name in Settings().flat()]
    assert list(dict.fromkeys(group for group, *_ in rows)) == [
        group for group in Settings.model_fields if group != "schedule"
    ]
    for group, name, default, accepted, meaning in rows:
        assert hasattr(getattr(Settings(), group), name[5:].lower())
        assert len(meaning) > 10
        assert accepted
        assert load_settings({name: default}) == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().service.port = 1
    with pytest.raises(ValidationError, match="frozen"):
        Settings().service = Settings().service
    limits = Settings().limits
    assert (limits.max_file_bytes, limits.max_unpacked_bytes, limits.max_pages) == (
        100_000_000,
        300_000_000,
        5000,
    )


def test_a_changed_copy_takes_flat_names_and_keeps_the_rest() -> None:
    schedule = from_file('[schedule.sea]\nfolder = "/sea"\nevery = "6h"\n').schedule
    settings = Settings(port=1, generator_api_key="sk-1", schedule=schedule)
    changed = settings.with_changes(dense_candidates=0, home=Path("x"))
    assert changed.retrieval.dense_candidates == 0  # below what a user may set
    assert changed.service.home == Path("x")
    assert changed.with_changes(dense_candidates=15, home=Path("ibid-data")) == settings
    assert settings.writer.generator_api_key.get_secret_value() == "sk-1"
    assert "sk-1" not in repr(settings) + str(settings)
    assert secrets() == {"generator_url", "generator_api_key", "webhook_url", "webhook_secret"}
    with pytest.raises(InvalidSettings, match="prot is not a setting; the settings are home, host, port"):
        settings.with_changes(prot=1)
    with pytest.raises(InvalidSettings, match="generator_api_key is not shown; expected text"):
        Settings(generator_api_key=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 1", "port in ibid.toml is in the wrong place; write it below [service]."),
        (
            "[corpus]\ntrim = true",
            "corpus.trim in ibid.toml is in the wrong place; write it below [retrieval].",
        ),
        ("retrieval = 5", "retrieval in ibid.toml is '5'; expected a table, [retrieval]."),
        (
            "[webhook]\nurl = 'x'",
            "webhook.url in ibid.toml is not a setting; those of [webhook] are webhook_url, webhook_secret.",
        ),
        (
            "[Service]\nport = 1",
            "Service in ibid.toml is not a setting; the groups of settings are [service], [corpus], [retrieval], "
            "[answer], [writer], [limits], [webhook], [schedule].",
        ),
    ],
)
def test_keys_of_the_file_stand_below_their_group(text: str, message: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        from_file(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", sorted(secrets()))
def test_no_secret_is_shown_where_its_table_is_of_another_shape(tmp_path: Path, name: str) -> None:
    group = next(group for group, known, *_ in describe_settings() if known == f"IBID_{name.upper()}")
    path = tmp_path / "ibid.toml"
    path.write_text(f'[[{group}]]\n{name} = "s3cret"\n')
    with pytest.raises(InvalidSettings, match=rf"{group} in ibid\.toml is a list; expected a table") as error:
        load_settings({"IBID_CONFIG": str(path)})
    assert "s3cret" not in str(error.value)


def test_a_wrong_value_is_told_where_another_overrides_it(tmp_path: Path) -> None:
    path = tmp_path / "ibid.toml"
    path.write_text('[retrieval]\ndense_candidates = "x"\n')
    with pytest.raises(InvalidSettings, match=r"dense_candidates in ibid\.toml is 'x'"):
        load_settings({"IBID_CONFIG": str(path), "IBID_DENSE_CANDIDATES": "5"})


@pytest.mark.parametrize(
    ("name", "value"), [("IBID_PORT", "80.0"), ("IBID_WEBHOOK_SECRET", "a\0b"), ("IBID_GENERATOR_URL", "\0")]
)
def test_what_is_no_value_of_its_kind_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        load_settings({name: value})
