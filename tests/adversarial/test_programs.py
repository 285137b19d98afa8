"""Every attack on every backend: what becomes of it, and what is left of it. See attack.py."""

import time

import pytest

from proctor_sandbox.errors import SandboxLost
from proctor_sandbox.languages import LANGUAGES
from proctor_sandbox.programs import End, Run
from tests.adversarial.arena import Arena
from tests.adversarial.attack import SHARED_UID, Attack, Row
from tests.adversarial.attacks import ATTACKS
from tests.conftest import missing

# Beyond its limits a program may cost this: killing, wiping, and a machine that is busy.
_EPSILON_S = 15.0
# What a compiler may use, whatever its program's limits are (agent/program.py).
_COMPILER_S = 60.0


@pytest.mark.parametrize(
    "attack",
    [pytest.param(each, id=each.name, marks=pytest.mark.attack(each.name)) for each in ATTACKS],
)
def test_an_attack_is_contained(arena: Arena, attack: Attack) -> None:
    if arena.kind in attack.skipped:
        pytest.skip(attack.skipped[arena.kind])
    if not arena.has(attack.language):
        missing(f"no compiler for {attack.language} here; apt-get install gcc g++")
    try:
        _let_loose(arena, attack)
        assert arena.is_well(attack.image), "the next honest program does not get its due"
        assert arena.left(attack.image) == []
    except BaseException:
        arena.replace(attack.image)  # so that the next attack fails by its own doing only
        raise


def _let_loose(arena: Arena, attack: Attack) -> None:
    before = arena.crew(attack.image)
    for _ in range(attack.times):
        began = time.monotonic()
        try:
            (report,) = arena.run(attack.image, [attack.work()])
        except SandboxLost as lost:
            if arena.kind not in attack.may_lose:
                pytest.fail(f"the sandbox was lost: {lost}")
            arena.replace(attack.image)
            return
        took_s = time.monotonic() - began
        for one in report.runs:
            _judge(attack, arena.kind, one)
        compiler_s = _COMPILER_S if LANGUAGES[attack.language].compile else 0.0
        assert took_s < attack.limits.wall_time_s * len(report.runs) + compiler_s + _EPSILON_S
    if arena.kind != SHARED_UID and not attack.may_cost_a_zygote:
        assert arena.crew(attack.image) == before, "the agent or a zygote was ended"


def _judge(attack: Attack, kind: str, one: Run) -> None:
    assert one.end in attack.ends_on(kind), one
    for secret in attack.never:
        assert secret not in one.stdout + one.stderr
    assert len(one.stdout) + len(one.stderr) <= attack.limits.output_bytes
    if one.end not in attack.ends:
        return
    if attack.stdout is not None:
        assert one.stdout == attack.stdout, one
    if one.end is End.EXITED and attack.exit_code is not None:
        assert one.exit_code == attack.exit_code, one
    if one.end is End.SIGNALED and attack.signal is not None:
        assert one.signal == attack.signal, one


def test_every_kind_of_attack_is_met() -> None:
    # Those on the API are in test_stack.py.
    assert {attack.row for attack in ATTACKS} == set(Row) - {Row.API}
    assert len(ATTACKS) >= 80
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names)
