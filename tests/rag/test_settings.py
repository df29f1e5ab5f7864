"""Settings: where they come from, which wins, and what is said of a bad one."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from rag.errors import InvalidSettings
from rag.settings import Settings, describe_settings, load_settings


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
    text = 'port = 1\nhost = "file"\nembedder = "file"\n'
    loaded = from_file(text, {"IBID_HOST": "variable", "IBID_EMBEDDER": "variable"}, embedder="option")
    assert (loaded.port, loaded.host, loaded.embedder) == (1, "variable", "option")
    assert from_file(text, port=None).port == 1  # an option that was not given


def test_the_file_may_lie_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text("port = 5\n")
    assert from_file("port = 4\n", {"IBID_CONFIG": str(path)}).port == 5
    assert from_file("port = 4\n", {"IBID_CONFIG": ""}).port == 4
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
    found = getattr(load_settings({f"IBID_{key.upper()}": given}), key)
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
    ("line", "message"),
    [
        ('port = "x"', "port in ibid.toml is 'x'; expected a whole number from 0 to 65535."),
        ("port = 8000.7", "port in ibid.toml is '8000.7'; expected a whole number from 0 to 65535."),
        ("port = inf", "port in ibid.toml is 'inf'; expected a whole number from 0 to 65535."),
        ("port = nan", "port in ibid.toml is 'nan'; expected a whole number from 0 to 65535."),
        ("port = true", "port in ibid.toml is 'True'; expected a whole number from 0 to 65535."),
        ("port = [1]", "port in ibid.toml is '[1]'; expected a whole number from 0 to 65535."),
        ("trim = 2", "trim in ibid.toml is '2'; expected true or false."),
        ("home = 5", "home in ibid.toml is '5'; expected a path."),
        ('home = "a\\u0000b"', "home in ibid.toml is 'a\\x00b'; expected a path."),
        ("embedder = true", "embedder in ibid.toml is 'True'; expected text."),
        ("embedder = 2024-01-01", "embedder in ibid.toml is '2024-01-01'; expected text."),
    ],
)
def test_bad_values_in_the_file_name_key_value_and_remedy(line: str, message: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        from_file(line)
    assert str(caught.value) == message


def test_whole_numbers_and_switches_in_the_file() -> None:
    loaded = from_file("port = 80.0\ntrim = false\ndense_weight = 1\n")
    assert (loaded.port, loaded.trim, loaded.dense_weight) == (80, False, 1.0)


@pytest.mark.parametrize("text", ["port == 1", "port = 1\nport = 2", "[", "\ufeffport = 1"])
def test_a_file_that_is_not_toml_is_named(text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"ibid.toml is not valid TOML \(.*\); mend or remove it"):
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
    fields = [field for field in dataclasses.fields(Settings) if field.name != "schedule"]  # the file's alone
    assert [name for name, *_ in rows] == [f"IBID_{field.name.upper()}" for field in fields]
    for name, default, accepted, meaning in rows:
        assert len(meaning) > 10
        assert accepted
        assert load_settings({name: default}) == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
    assert Settings().limits() == (100_000_000, 300_000_000, 5000)
