"""Settings from the environment: read once, and a wrong one is named."""

from pathlib import Path

import click
import pytest

from proctor_server.settings import ALL_FORMATS, read_settings


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    # As compose passes on a variable that nobody has set.
    monkeypatch.setenv("PROCTOR_KEYS_FILE", "")
    assert read_settings().keys_file is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROCTOR_PORT", "eighty"),
        ("PROCTOR_MAX_PENDING", "0"),
        ("PROCTOR_SANDBOX", "chroot"),
        ("PROCTOR_KEYS_FILE", "/nowhere/keys.toml"),
        ("PROCTOR_WIRE_FORMATS", "piston,judge0"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(click.UsageError) as raised:
        read_settings()
    assert name in raised.value.message
    assert value not in raised.value.message


def test_a_file_of_keys_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.touch()
    monkeypatch.setenv("PROCTOR_KEYS_FILE", str(path))
    assert read_settings().keys_file == path


@pytest.mark.parametrize(
    ("said", "formats"),
    [
        ("", ALL_FORMATS),
        ("piston, slime", {"piston", "slime"}),
        ("none", set()),
    ],
)
def test_wire_formats_are_names_between_commas(
    monkeypatch: pytest.MonkeyPatch, said: str, formats: set[str]
) -> None:
    monkeypatch.setenv("PROCTOR_WIRE_FORMATS", said)
    assert read_settings().wire_formats == formats
