"""The measures, and rounds of them: what is compared is run in turn, so that noise hits both."""

import contextlib
import statistics
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench import bare, sandbox, stack, workloads
from bench.cpu import Meter
from bench.workloads import CPP_TESTS, TESTS_PER_PROGRAM, Sizes
from proctor.types import Problem
from proctor_sandbox.seam import Backend


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything that is measured, up and warm. `image` None: no `docker run` here."""

    server: stack.Server
    sandboxes: sandbox.Sandboxes
    python: str
    pool: bare.Pool
    image: str | None
    problems: list[Problem]


@contextmanager
def subject(server: stack.Server, backend: Backend, sizes: Sizes) -> Iterator[Subject]:
    """Start what a stack does not have: sandboxes and bare processes.

    Raises SandboxUnavailable, NoSuchInterpreter.
    """
    problems = workloads.humaneval_problems(sizes.humaneval_problems)
    server.client.import_problems(problems)
    with sandbox.warm_sandboxes(backend) as sandboxes:
        python = bare.interpreter(sandbox.python_version(sandboxes.python))
        with bare.pool(python) as pool:
            yield Subject(server, sandboxes, python, pool, bare.docker_image(), problems)


# -- measures ---------------------------------------------------------------------------------

Values = dict[str, float]
# What is measured, how much of it, and a mark that no other run of it has.
Run = Callable[[Subject, Sizes, str], Values]


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is run once a round. `programs` is how many it runs."""

    name: str
    run: Run
    programs: Callable[[Sizes], int]
    whole_stack: bool = False


def _bare(subject: Subject, sizes: Sizes, mark: str) -> Values:
    seconds = bare.python_alone(subject.python, sizes.bare_alone, mark)
    return {"bare_python_ms_per_test": seconds * 1000 / sizes.bare_alone}


def _bare_pool(subject: Subject, sizes: Sizes, mark: str) -> Values:
    return {
        "bare_pool_programs_per_s": sizes.bare_pool / subject.pool.seconds(sizes.bare_pool, mark)
    }


def _docker_run(subject: Subject, sizes: Sizes, mark: str) -> Values:
    if subject.image is None:
        return {}
    seconds = bare.docker_runs(subject.image, sizes.docker_run, mark)
    return {"docker_run_ms_per_test": seconds * 1000 / sizes.docker_run}


def _sandbox(subject: Subject, sizes: Sizes, mark: str) -> Values:
    python, tests = subject.sandboxes.python, TESTS_PER_PROGRAM
    seconds = sandbox.python_programs(python, sizes.ten_tests, tests, mark)
    return {"sandbox_ms_per_test": seconds * 1000 / sizes.ten_tests / tests}


def _one_test(subject: Subject, sizes: Sizes, mark: str) -> Values:
    seconds = sandbox.python_programs(subject.sandboxes.python, sizes.one_test, 1, mark)
    return {"sandbox_ms_per_program_of_one_test": seconds * 1000 / sizes.one_test}


def _cpp(subject: Subject, sizes: Sizes, mark: str) -> Values:
    seconds = sandbox.cpp_programs(subject.sandboxes.native, sizes.cpp, mark)
    return {f"cpp_{CPP_TESTS}_tests_ms": seconds * 1000 / sizes.cpp}


def _bare_cpp(subject: Subject, sizes: Sizes, mark: str) -> Values:
    seconds = bare.cpp_alone(1, mark)
    return {} if seconds is None else {f"bare_cpp_{CPP_TESTS}_tests_ms": seconds * 1000}


def _trivial(subject: Subject, sizes: Sizes, mark: str) -> Values:
    seconds = stack.trivial_batch(subject.server, sizes.trivial, mark)
    return {"stack_trivial_programs_per_s": sizes.trivial / seconds}


def _humaneval(subject: Subject, sizes: Sizes, mark: str) -> Values:
    samples = sizes.humaneval_samples
    seconds = stack.humaneval_batch(subject.server, subject.problems, samples, mark)
    return {"stack_humaneval_programs_per_s": len(subject.problems) * samples / seconds}


def _single(subject: Subject, sizes: Sizes, mark: str) -> Values:
    times = sorted(stack.single_requests(subject.server, sizes.single, mark))
    last = min(len(times) - 1, round(0.99 * len(times)))
    return {
        "single_p50_ms": statistics.median(times) * 1000,
        "single_p99_ms": times[last] * 1000,
    }


def _callers(subject: Subject, sizes: Sizes, mark: str) -> Values:
    seconds = stack.many_callers(subject.server, sizes.callers, sizes.requests_per_caller, mark)
    return {"callers64_programs_per_s": sizes.callers * sizes.requests_per_caller / seconds}


def _run_code_alone(subject: Subject, sizes: Sizes, mark: str) -> Values:
    seconds = stack.run_code_requests(subject.server, 1, sizes.single, mark)
    return {"run_code_alone_requests_per_s": sizes.single / seconds}


def _run_code_callers(subject: Subject, sizes: Sizes, mark: str) -> Values:
    callers, each = sizes.callers, sizes.requests_per_caller
    seconds = stack.run_code_requests(subject.server, callers, each, mark)
    return {"run_code_callers64_requests_per_s": callers * each / seconds}


# In this order, so that what is compared follows closely on one another.
MEASURES = (
    Measure("bare", _bare, lambda sizes: sizes.bare_alone),
    Measure("sandbox", _sandbox, lambda sizes: sizes.ten_tests),
    Measure("one-test", _one_test, lambda sizes: sizes.one_test),
    Measure("single", _single, lambda sizes: sizes.single, whole_stack=True),
    Measure("bare-pool", _bare_pool, lambda sizes: sizes.bare_pool),
    Measure("trivial", _trivial, lambda sizes: sizes.trivial, whole_stack=True),
    Measure(
        "humaneval",
        _humaneval,
        lambda sizes: sizes.humaneval_problems * sizes.humaneval_samples,
        whole_stack=True,
    ),
    Measure(
        "callers",
        _callers,
        lambda sizes: sizes.callers * sizes.requests_per_caller,
        whole_stack=True,
    ),
    Measure("run-code-alone", _run_code_alone, lambda sizes: sizes.single, whole_stack=True),
    Measure(
        "run-code-callers",
        _run_code_callers,
        lambda sizes: sizes.callers * sizes.requests_per_caller,
        whole_stack=True,
    ),
    Measure("docker-run", _docker_run, lambda sizes: sizes.docker_run),
    Measure("bare-cpp", _bare_cpp, lambda sizes: 1),
    Measure("cpp", _cpp, lambda sizes: sizes.cpp),
)


# -- rounds -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Figures:
    """What the rounds gave: values by key, and CPU seconds by part for each of the stack's."""

    values: dict[str, list[float]] = field(default_factory=dict)
    cpu_s: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)


def measured(
    subject: Subject,
    measures: Iterable[Measure],
    sizes: Sizes,
    rounds: int,
    say: Callable[[str], object],
) -> Figures:
    """Run every measure once a round. `say` is told what is about to run.

    Raises WrongReward or WrongOutput when a right program was not found to be right.
    """
    figures = Figures()
    for number in range(rounds):
        for measure in measures:
            say(f"round {number + 1} of {rounds}: {measure.name}")
            mark = f"{measure.name} {sizes.trivial} {number}"
            meter = Meter(subject.server.parts) if measure.whole_stack else None
            with meter or contextlib.nullcontext():
                values = measure.run(subject, sizes, mark)
            for key, value in values.items():
                figures.values.setdefault(key, []).append(value)
            figures.programs[measure.name] = measure.programs(sizes)
            if meter is not None:
                figures.cpu_s.setdefault(measure.name, []).append(meter.seconds)
    return figures
