"""Judges: verify over real sandboxes, for tests that run real programs."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from proctor.types import Problem
from proctor_sandbox.bubblewrap import BubblewrapBackend
from proctor_sandbox.docker_backend import DockerBackend
from proctor_sandbox.pool import Pool
from proctor_sandbox.seam import Backend
from proctor_server.limit_rules import LimitRules
from proctor_server.outcome import Outcome
from proctor_server.units import Unit, problem_version
from proctor_server.verify import Verifier

DATA = Path(__file__).parents[3] / "shared" / "data"


class Judge:
    """Runs programs against problems in real sandboxes."""

    def __init__(self, backend: Backend) -> None:
        self.pool = Pool(backend)
        self._problems: dict[str, Problem] = {}
        self._verifier = Verifier(
            self.pool, self._problems.__getitem__, backend.languages(), LimitRules()
        )

    def judge(
        self,
        programs: Iterable[tuple[Problem, str]],
        language: str = "python",
        *,
        stop_on_failure: bool = False,
    ) -> list[Outcome]:
        """The outcomes of programs, each with its problem, in their order."""
        units = []
        for problem, source in programs:
            version = problem_version(problem)
            self._problems[version] = problem
            units.append(
                Unit.of(language, source, version, stop_on_failure=stop_on_failure, fresh=True)
            )
        return self._outcomes(units)

    def judge_projects(
        self, projects: Iterable[tuple[Problem, Mapping[str, str]]]
    ) -> list[Outcome]:
        """The outcomes of projects: files alone, each with its problem, in their order."""
        units = []
        for problem, files in projects:
            version = problem_version(problem)
            self._problems[version] = problem
            units.append(Unit.of("python", "", version, fresh=True, files=dict(files)))
        return self._outcomes(units)

    def _outcomes(self, units: list[Unit]) -> list[Outcome]:
        outcomes = {unit.key: outcome for unit, outcome in self._verifier.verify(units)}
        return [outcomes[unit.key] for unit in units]


def accepted_constants(judge: Judge, problems: Iterable[Problem]) -> list[tuple[str, str]]:
    """Problems that a program passes which always returns the same: too weak to train on."""
    programs = [
        (problem, f"def {problem.entry_point}(*args, **kwargs): return {constant}\n", constant)
        for problem in problems
        for constant in ("None", "True", "0")
    ]
    outcomes = judge.judge(
        ((problem, source) for problem, source, _ in programs), stop_on_failure=True
    )
    return [
        (problem.id, constant)
        for (problem, _, constant), outcome in zip(programs, outcomes, strict=True)
        if outcome.passed >= outcome.total
    ]


@pytest.fixture(scope="package", params=["docker", "bubblewrap"])
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    """A judge over each backend that is here."""
    backend: Backend
    if request.param == "docker":
        request.getfixturevalue("docker_engine")
        backend = DockerBackend()
    else:
        request.getfixturevalue("bubblewrap")
        backend = BubblewrapBackend()
    judge = Judge(backend)
    yield judge
    judge.pool.close()


@pytest.fixture(scope="session")
def data() -> Path:
    """Public problem sets, which are no part of the repository."""
    if not DATA.is_dir():
        pytest.skip(f"no problem sets in {DATA}")
    return DATA
