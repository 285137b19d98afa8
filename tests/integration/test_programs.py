"""Programs and their verdicts, through verify and real sandboxes."""

import pytest

from proctor.types import (
    AssertionTest,
    CallTest,
    LimitsSpec,
    Problem,
    StdinTest,
    TestCase,
    Verdict,
)
from tests.integration.conftest import Judge

AC, WA, TLE, MLE, OLE, RE, CE = (
    Verdict.AC,
    Verdict.WA,
    Verdict.TLE,
    Verdict.MLE,
    Verdict.OLE,
    Verdict.RE,
    Verdict.CE,
)
LIMITS = LimitsSpec(cpu_time_s=1.0, wall_time_s=5.0, memory_mb=256, output_kb=1024)


def problem(*tests: TestCase) -> Problem:
    return Problem(id="p", tests=list(tests), limits=LIMITS)


DOUBLE = problem(
    *(StdinTest(input=f"{number}\n", output=f"{2 * number}\n") for number in (1, 20, 300))
)
TWICE = problem(
    *(CallTest(function="twice", args=[value], expected=2 * value) for value in (1, 20, 300))
)
CHECKED = problem(
    AssertionTest(
        code="def check(candidate):\n"
        "    assert candidate(1) == 2\n"
        "    assert candidate(20) == 40\n"
        "    assert candidate(300) == 600\n"
        "check(candidate)\n",
        entry_point="twice",
    )
)

READ = "n = int(input())\n"
TWICE_DEF = "def twice(x):\n    return 2 * x\n"


@pytest.mark.parametrize(
    ("source", "verdict", "passed"),
    [
        pytest.param("print(2 * int(input()))", AC, 3, id="right"),
        pytest.param("print(2)", WA, 1, id="one of three"),
        pytest.param("pass", WA, 0, id="silent"),
        pytest.param(
            "print(2 * int(input()), flush=True)\nraise SystemExit(3)", RE, 0, id="exit 3"
        ),
        pytest.param("1 / 0", RE, 0, id="exception"),
        pytest.param("print(", CE, 0, id="syntax error"),
        pytest.param("print('\0')", CE, 0, id="NUL byte"),
        pytest.param("while True: pass", TLE, 0, id="endless loop"),
        pytest.param(f"{READ}while n > 1: pass\nprint(2 * n)", TLE, 1, id="endless for some"),
        pytest.param("x = bytearray(1 << 30)\nprint(2)", MLE, 0, id="1 GiB at once"),
        pytest.param("x = []\nwhile True: x.append(b'x' * (1 << 20))", MLE, 0, id="hog"),
        pytest.param("while True: print('x' * 4096)", OLE, 0, id="endless output"),
        pytest.param("import sys\nwhile True: sys.stderr.write('x' * 4096)", OLE, 0, id="stderr"),
        pytest.param("import os\nos.kill(os.getpid(), 11)", RE, 0, id="segmentation fault"),
        pytest.param("import os\nos.abort()", RE, 0, id="abort"),
        pytest.param("import os\nos._exit(137)", RE, 0, id="137 is no OOM kill"),
        pytest.param("def f(): f()\nf()", RE, 0, id="recursion"),
    ],
)
def test_a_stdin_program_has_its_verdict(
    judge: Judge, source: str, verdict: Verdict, passed: int
) -> None:
    (outcome,) = judge.judge([(DOUBLE, source)])
    assert (outcome.verdict, outcome.passed, outcome.total) == (verdict, passed, 3), outcome


@pytest.mark.parametrize("task", [TWICE, CHECKED], ids=["calls", "assertions"])
@pytest.mark.parametrize(
    ("source", "verdict", "passed"),
    [
        pytest.param(TWICE_DEF, AC, 3, id="right"),
        pytest.param("twice = lambda x: 2", WA, 1, id="one of three"),
        pytest.param("def twice(x): pass", WA, 0, id="None"),
        pytest.param("def twice(x): return str(2 * x)", WA, 0, id="text"),
        pytest.param("def twice(x): raise ValueError(x)", RE, 0, id="raises"),
        pytest.param("def thrice(x): return 3 * x", RE, 0, id="missing"),
        pytest.param("def twice(x) return 2", CE, 0, id="syntax error"),
        pytest.param("def twice(x):\n    while True: pass", TLE, 0, id="endless loop"),
        pytest.param("def twice(x): return bytearray(1 << 30) and 2", MLE, 0, id="memory"),
        pytest.param(f"{TWICE_DEF}import sys\nsys.exit(0)", RE, 0, id="exit at once"),
        pytest.param("def twice(x):\n    import os\n    os._exit(0)", RE, 0, id="exit when called"),
        pytest.param("def twice(x): raise SystemExit(0)", RE, 0, id="SystemExit"),
        pytest.param("def twice(x): raise AssertionError", RE, 0, id="AssertionError"),
        pytest.param(
            "class Yes:\n    def __eq__(self, other): return True\ndef twice(x): return Yes()",
            WA,
            0,
            id="equal to everything",
        ),
        pytest.param(
            "class Yes(int):\n"
            "    def __eq__(self, other): return True\n"
            "    def __hash__(self): return 0\n"
            "def twice(x): return Yes(7)",
            WA,
            0,
            id="an int equal to everything",
        ),
        pytest.param(
            "import builtins\nbuiltins.AssertionError = None\nbuiltins.__debug__ if 0 else 0\n"
            "def twice(x): return 7",
            WA,
            0,
            id="no AssertionError",
        ),
        pytest.param(
            f"{TWICE_DEF}print('noise', flush=True)\nimport os\nos.write(2, b'noise')",
            AC,
            3,
            id="noise on stdout",
        ),
        pytest.param(
            f"{TWICE_DEF}import threading, time\n"
            "threading.Thread(target=time.sleep, args=(60,)).start()",
            AC,
            3,
            id="a thread that goes on",
        ),
        pytest.param(
            "import os\n"
            "for fd in range(3, 256):\n"
            "    try: os.write(fd, b'T 3\\nH 0\\nH 1\\nH 2\\nD\\n' * 9)\n"
            "    except OSError: pass\n"
            "def twice(x): return 7",
            RE,
            0,
            id="writes to every fd",
        ),
    ],
)
def test_a_function_has_its_verdict(
    judge: Judge, task: Problem, source: str, verdict: Verdict, passed: int
) -> None:
    (outcome,) = judge.judge([(task, source)])
    assert (outcome.verdict, outcome.passed, outcome.total) == (verdict, passed, 3), outcome


CPP = """\
#include <bits/stdc++.h>
int main() { long n; std::cin >> n; %s }
"""
C = """\
#include <stdio.h>
#include <stdlib.h>
int main(void) { long n; if (scanf("%%ld", &n) != 1) return 1; %s }
"""


@pytest.mark.parametrize(
    ("language", "frame", "body", "verdict", "passed"),
    [
        pytest.param("cpp", CPP, r'std::cout << 2 * n << "\n";', AC, 3, id="cpp right"),
        pytest.param("cpp", CPP, "std::cout << 2;", WA, 1, id="cpp one of three"),
        pytest.param("cpp", CPP, "std::cout << 2", CE, 0, id="cpp syntax error"),
        pytest.param("cpp", CPP, "throw 1;", RE, 0, id="cpp exception"),
        pytest.param(
            "cpp", CPP, "for (volatile int i = 0;; i = i + 1) {}", TLE, 0, id="cpp endless loop"
        ),
        pytest.param(
            "cpp", CPP, "std::vector<long> v; for (;;) v.push_back(n);", MLE, 0, id="cpp hog"
        ),
        pytest.param(
            "cpp", CPP, 'for (;;) std::cout << "xxxxxxxxxxxxxxxx";', OLE, 0, id="cpp endless output"
        ),
        pytest.param(
            "cpp", CPP, "int *p = nullptr; *(volatile int *)p = 1;", RE, 0, id="cpp null pointer"
        ),
        pytest.param("c", C, r'printf("%%ld\n", 2 * n); return 0;', AC, 3, id="c right"),
        pytest.param("c", C, r'printf("%%ld\n", 2 * n); return 7;', RE, 0, id="c exit 7"),
        pytest.param("c", C, "return undeclared;", CE, 0, id="c undeclared"),
        (
            "c",
            C,
            "volatile char *p = malloc(1 << 30); for (long i = 0; i < 1 << 30; i++) p[i] = i;",
            MLE,
            0,
        ),
    ],
)
def test_a_compiled_program_has_its_verdict(
    judge: Judge, language: str, frame: str, body: str, verdict: Verdict, passed: int
) -> None:
    (outcome,) = judge.judge([(DOUBLE, frame % body.replace("%%", "%"))], language)
    assert (outcome.verdict, outcome.passed, outcome.total) == (verdict, passed, 3), outcome
    if verdict is CE:
        assert outcome.compile_output is not None
        assert "error" in outcome.compile_output


def test_a_fork_bomb_is_ended_and_the_next_program_is_none_the_worse(judge: Judge) -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n"
    outcomes = judge.judge([(DOUBLE, bomb), (DOUBLE, "print(2 * int(input()))")])
    assert outcomes[0].verdict in (TLE, RE, MLE)
    assert outcomes[0].passed == 0
    assert outcomes[1].verdict is AC


def test_a_program_that_waits_for_nothing_is_ended_by_the_wall_limit(judge: Judge) -> None:
    idle = DOUBLE.model_copy(update={"limits": LimitsSpec(cpu_time_s=1.0, wall_time_s=0.5)})
    (outcome,) = judge.judge([(idle, "import time\ntime.sleep(60)")])
    assert (outcome.verdict, outcome.passed, outcome.total) == (TLE, 0, 3)
    assert all(test.cpu_time_s < 0.5 <= test.wall_time_s < 5 for test in outcome.tests)


def test_the_output_of_many_tests_takes_no_memory_from_the_program(judge: Judge) -> None:
    megabytes = 4
    limits = LimitsSpec(cpu_time_s=1.0, memory_mb=64)
    line = "x" * (megabytes << 20) + "\n"
    task = Problem(id="p", tests=[StdinTest(input="", output=line)] * 24, limits=limits)
    (outcome,) = judge.judge([(task, f"print('x' * ({megabytes} << 20))")])
    assert (outcome.verdict, outcome.passed) == (AC, 24), outcome.reason


def test_the_first_failure_stops_where_asked(judge: Judge) -> None:
    (outcome,) = judge.judge([(DOUBLE, "print(2)")], stop_on_failure=True)
    assert [test.verdict for test in outcome.tests] == [AC, WA]
    assert (outcome.verdict, outcome.passed, outcome.total) == (WA, 1, 3)


def test_a_batch_of_all_kinds_keeps_its_outcomes_apart(judge: Judge) -> None:
    kinds = [
        (DOUBLE, "print(2 * int(input()))", AC),
        (DOUBLE, "while True: print('x' * 4096)", OLE),
        (TWICE, TWICE_DEF, AC),
        (CHECKED, "def twice(x): return 2", WA),
        (DOUBLE, "(", CE),
        (CHECKED, TWICE_DEF, AC),
        (DOUBLE, "x = bytearray(1 << 30)", MLE),
    ]
    outcomes = judge.judge([(task, source) for task, source, _ in kinds * 10])
    assert [outcome.verdict for outcome in outcomes] == [verdict for _, _, verdict in kinds * 10]
