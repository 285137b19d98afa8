"""No forgery earns more than its honest part, and none can make a fault of ours."""

import pytest

from proctor.types import RewardPolicy, Verdict
from proctor_server.rewards import reward
from tests.integration.conftest import Judge
from tests.integrity import forgery
from tests.integrity.forgeries import (
    agreeing,
    comparing,
    exits,
    faults,
    harness,
    markers,
    projects,
    reading,
    remembering,
)
from tests.integrity.forgery import (
    CALLED_SECRETS,
    PRINTED,
    PROJECT,
    Forgery,
    Row,
    honest,
    honest_files,
)

FORGERIES: list[Forgery] = [
    *exits.FORGERIES,
    *agreeing.FORGERIES,
    *harness.FORGERIES,
    *markers.FORGERIES,
    *reading.FORGERIES,
    *remembering.FORGERIES,
    *faults.FORGERIES,
    *comparing.FORGERIES,
    *projects.FORGERIES,
]
PASS_RATE = RewardPolicy()
ALL = RewardPolicy(name="all_or_nothing")


@pytest.mark.parametrize(
    "attack",
    [pytest.param(one, id=one.name, marks=pytest.mark.attack(one.name)) for one in FORGERIES],
)
def test_a_forgery_earns_what_its_honest_part_is_worth(
    judge: Judge, backend: str, attack: Forgery
) -> None:
    if backend == "bubblewrap-unprivileged" and not attack.unprivileged:
        pytest.skip("docs/threat-model.md: without root, bubblewrap makes no such promise")
    problem = attack.problem
    programs = [(problem, attack.source)]
    if attack.files:
        pair = [(problem, attack.files), (problem, honest_files(problem))]
        forged, after = judge.judge_projects(pair)
    elif attack.language == "python":
        forged, after = judge.judge([*programs, (problem, honest(problem))])
    else:
        (forged,) = judge.judge(programs, attack.language)
        (after,) = judge.judge([(problem, honest(problem))])
    assert forged.verdict is not Verdict.IE, forged
    assert (forged.passed, reward(forged, ALL)) == (attack.earns, 0.0), forged
    assert reward(forged, PASS_RATE) == attack.earns / forged.total
    # What an answer says of it holds nothing of what was expected.
    assert not any(secret in forged.model_dump_json() for secret in forgery.SECRETS)
    # The next program, in the same sandbox or its replacement, gets what it deserves.
    assert (after.verdict, reward(after, PASS_RATE)) == (Verdict.AC, 1.0), after
    assert after.total == forged.total


def test_what_a_project_tells_from_its_own_process_is_marked(judge: Judge) -> None:
    """It may pass by what it tells; it can't be more than there is to pass."""
    (test,) = PROJECT.tests
    beside = PROJECT.model_copy(
        update={"tests": [test.model_copy(update={"isolation": "in_process"})]}
    )
    programs = [projects.TELLS, projects.FLOODS, honest_files(beside)]
    told, flooded, right = judge.judge_projects((beside, files) for files in programs)
    assert (told.isolation, told.total, told.tests[0].isolation) == ("in_process", 8, "in_process")
    assert (flooded.passed, flooded.total, flooded.cause) == (0, 8, None)
    assert (right.verdict, right.passed, right.isolation) == (Verdict.AC, 8, "in_process")


def test_every_row_is_touched_and_every_name_is_one_forgerys() -> None:
    assert {one.row for one in FORGERIES} == set(Row)
    assert len({one.name for one in FORGERIES}) == len(FORGERIES)


@pytest.mark.parametrize(
    "memory",
    [
        pytest.param(one, marks=pytest.mark.attack(f"between programs: {one}"))
        for one in remembering.BETWEEN
    ],
)
def test_a_program_finds_nothing_of_the_one_before(judge: Judge, memory: str) -> None:
    left, found = judge.judge([(PRINTED, source) for source in remembering.BETWEEN[memory]])
    assert (left.verdict, left.passed) == (Verdict.WA, 1), left
    assert (found.verdict, found.passed) == (Verdict.WA, 0), found


@pytest.mark.parametrize("way", reading.WAYS)
def test_a_search_finds_what_is_there(judge: Judge, way: str) -> None:
    """Else the searches above would prove nothing."""
    if way == "process_vm_readv and ptrace":
        pytest.skip("refused even of a program's own child")
    (found,) = judge.judge([(CALLED_SECRETS, reading.finding(way))])
    assert (found.verdict, reward(found, ALL)) == (Verdict.AC, 1.0), found
