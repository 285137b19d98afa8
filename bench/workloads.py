"""What is measured: programs of which no two are equal, and the problems they are for."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from proctor.importers import humaneval, packaged_humaneval
from proctor.types import LimitsSpec, Problem, StdinTest

# One test, as little work as a program can have: what is measured is everything around it.
TRIVIAL = Problem(id="bench/trivial", tests=[StdinTest(input="41\n", output="42\n")])
TRIVIAL_SOURCE = "print(int(input()) + 1)\n"

TESTS_PER_PROGRAM = 10
CPP_TESTS = 20

# What contest programs look like; the header is where a compiler's time goes.
CPP_SOURCE = """\
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<long long> values(n);
    for (auto &value : values) cin >> value;
    sort(values.begin(), values.end());
    map<long long, int> counts;
    for (auto value : values) counts[value]++;
    cout << accumulate(values.begin(), values.end(), 0LL) << ' ' << counts.size() << endl;
}
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each workload one round holds. Counts are programs but where said."""

    bare_alone: int
    bare_pool: int
    docker_run: int
    ten_tests: int
    one_test: int
    trivial: int
    humaneval_problems: int
    humaneval_samples: int  # of each problem
    single: int
    callers: int
    requests_per_caller: int
    cpp: int


# The counts of the issue; the others are enough for about a second each.
FULL = Sizes(
    bare_alone=60,
    bare_pool=200,
    docker_run=4,
    ten_tests=60,
    one_test=400,
    trivial=2000,
    humaneval_problems=164,
    humaneval_samples=4,
    single=200,
    callers=64,
    requests_per_caller=10,
    cpp=3,
)
# A smoke test, and the round before the first one that counts.
QUICK = Sizes(
    bare_alone=3,
    bare_pool=6,
    docker_run=1,
    ten_tests=3,
    one_test=6,
    trivial=40,
    humaneval_problems=8,
    humaneval_samples=2,
    single=8,
    callers=4,
    requests_per_caller=2,
    cpp=1,
)


def distinct(source: str, comment: str, mark: str) -> Iterator[str]:
    """Endless copies of a program that differ in a last line of comment.

    `comment` is what starts one in the language; `mark` must be another for every call.
    """
    for number in count():
        yield f"{source}{comment} {mark}.{number}\n"


def trivial(mark: str) -> Iterator[str]:
    """Trivial Python programs, each right for TRIVIAL."""
    return distinct(TRIVIAL_SOURCE, "#", mark)


def cpp(mark: str) -> Iterator[str]:
    """C++ programs, each right for `cpp_tests`."""
    return distinct(CPP_SOURCE, "//", mark)


def cpp_tests() -> list[tuple[str, str]]:
    """Inputs and outputs of the C++ programs."""
    tests = []
    for number in range(CPP_TESTS):
        values = [(seed * 7919 + number) % 101 for seed in range(100)]
        text = f"{len(values)}\n{' '.join(map(str, values))}\n"
        tests.append((text, f"{sum(values)} {len(set(values))}\n"))
    return tests


def humaneval_problems(most: int) -> list[Problem]:
    """The first `most` problems of HumanEval, with limits that no busy machine can reach."""
    found = humaneval(packaged_humaneval())[:most]
    return [one.model_copy(update={"limits": LimitsSpec(cpu_time_s=10)}) for one in found]


def humaneval_programs(
    problems: list[Problem], samples: int, mark: str
) -> list[tuple[Problem, str]]:
    """Canonical solutions, sample by sample as a trainer's batch has them."""
    programs = []
    for sample in range(samples):
        for problem in problems:
            assert problem.reference is not None
            source = f"{problem.reference.source}\n# {mark}.{sample}\n"
            programs.append((problem, source))
    return programs
