"""The file of keys: who is known, what is refused, and when it is read again."""

import hashlib
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from proctor_server.callers import EVERYBODY, BadKeys, Callers, Scope
from proctor_server.errors import Forbidden, Unauthorized
from proctor_server.key_commands import keys


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(
        f"""
        [keys.trainer]
        sha256 = "{digest("secret-1")}"
        scopes = ["submit", "read"]
        max_queued = 100
        max_body_mb = 2
        share = 0.5

        [keys.root]
        sha256 = "{digest("secret-2")}"
        scopes = ["admin"]
        """
    )
    return path


def test_without_a_file_everybody_may_do_all() -> None:
    caller = Callers(None).of(None)
    assert caller is EVERYBODY
    for scope in Scope:
        caller.require(scope)


def test_a_key_is_good_for_its_scopes(file: Path) -> None:
    caller = Callers(file).of("Bearer secret-1")
    assert (caller.name, caller.max_queued, caller.max_body_bytes) == ("trainer", 100, 2 * 2**20)
    assert caller.share == 0.5
    caller.require(Scope.SUBMIT)
    with pytest.raises(Forbidden, match="admin"):
        caller.require(Scope.ADMIN)


def test_an_admin_may_do_all(file: Path) -> None:
    caller = Callers(file).of("bearer  secret-2")
    for scope in Scope:
        caller.require(scope)


@pytest.mark.parametrize(
    "header", [None, "", "secret-1", "Basic secret-1", "Bearer", "Bearer secret-3", "Bearer \udcff"]
)
def test_who_has_no_known_key_is_not_let_in(file: Path, header: str | None) -> None:
    with pytest.raises(Unauthorized):
        Callers(file).of(header)


ENTRY = f'[keys.a]\nsha256 = "{digest("x")}"\nscopes = ["read"]\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[keys", "keys.toml"),
        ('[keys.a]\nsha256 = "short"\nscopes = ["read"]', "keys.a.sha256"),
        (ENTRY.replace('["read"]', "[]"), "keys.a.scopes"),
        (ENTRY.replace("read", "write"), "keys.a.scopes"),
        (ENTRY + "max_queued = 0", "keys.a.max_queued"),
        (ENTRY + "shares = 2", "keys.a.shares"),
        (ENTRY + ENTRY.replace("keys.a", "keys.b"), "two names have the same key"),
        (ENTRY.replace("keys.a", 'keys."a b"'), "'a b' is no name"),
    ],
)
def test_a_faulty_file_is_named_with_its_fault(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(BadKeys) as raised:
        Callers(path)
    assert words in str(raised.value)
    assert digest("x") not in str(raised.value)


def test_a_changed_file_is_taken_over_and_a_faulty_one_is_not(file: Path) -> None:
    callers = Callers(file)
    text = file.read_text()

    def write(content: str, at: int) -> None:
        file.write_text(content)
        os.utime(file, (at, at))
        callers.refresh()

    write(text.replace("trainer", "learner"), 1)
    assert callers.of("Bearer secret-1").name == "learner"
    write("nonsense", 2)
    assert callers.of("Bearer secret-1").name == "learner"
    write(text.partition("[keys.root]")[0], 3)
    with pytest.raises(Unauthorized):
        callers.of("Bearer secret-2")
    file.unlink()
    callers.refresh()
    assert callers.of("Bearer secret-1").name == "trainer"


def test_the_command_makes_keys_that_work(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    run = CliRunner()
    made = run.invoke(keys, ["add", "a", "--file", str(path), "--max-queued", "5"])
    other = run.invoke(keys, ["add", "b", "--file", str(path), "--scope", "admin"])
    assert (made.exit_code, other.exit_code) == (0, 0), (made.output, other.output)
    assert path.stat().st_mode & 0o777 == 0o644
    key = made.stdout.strip().splitlines()[-1]
    assert key not in path.read_text()
    caller = Callers(path).of(f"Bearer {key}")
    assert (caller.name, caller.scopes, caller.max_queued) == (
        "a",
        frozenset({Scope.SUBMIT, Scope.READ}),
        5,
    )
    shown = run.invoke(keys, ["list", "--file", str(path)])
    assert shown.exit_code == 0
    assert "admin" in shown.stdout


@pytest.mark.parametrize("name", ["a", "no name", 'x"y', "x\ny", ""])
def test_a_name_that_is_taken_or_none_changes_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "keys.toml"
    run = CliRunner()
    run.invoke(keys, ["add", "a", "--file", str(path)])
    before = path.read_bytes()
    again = run.invoke(keys, ["add", name, "--file", str(path)])
    assert again.exit_code == 1
    assert str(path) in again.output
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
