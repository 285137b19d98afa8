"""The formats of others on a real stack: SandboxFusion's own client, else requests shaped as the
source of each peer's client sends them."""

import asyncio
import base64
import json
import os
import pickle
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sandbox_fusion as fusion

from proctor import Client
from proctor.types import Problem, StdinTest
from proctor_sandbox.bubblewrap import BubblewrapBackend
from tests.conftest import missing
from tests.contract.test_modes import SOURCES
from tests.integration.test_up import running

pytestmark = pytest.mark.usefixtures("bubblewrap")

SUM = Problem(
    id="wire/sum",
    statement="Add the numbers.",
    metadata={"level": 1},
    tests=[StdinTest(input="1 2", output="3"), StdinTest(input="2 2", output="4")],
)
ADD = "```python\nprint(sum(map(int, input().split())))\n```"
THREE = "I say\n```python\nprint(3)\n```"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    os.environ["HIDDEN_FROM_PROGRAMS"] = "yes"
    try:
        with running(tmp_path_factory.mktemp("state")) as up:
            with Client(up.url) as client:
                client.put_problem(SUM)
            fusion.set_endpoint(up.url)
            yield up.url
    finally:
        del os.environ["HIDDEN_FROM_PROGRAMS"]


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


def posted(http: httpx.Client, path: str, body: Any) -> Any:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def code(source: str, **said: Any) -> fusion.RunCodeResponse:
    """What SandboxFusion's client makes of a program, asking once."""
    asked = {"code": source, "language": "python", **said}
    return fusion.run_code(fusion.RunCodeRequest(**asked), max_attempts=1)


# -- SandboxFusion ----------------------------------------------------------------------------

MAPPING = fusion.SummaryMapping(
    Success="fine",
    Failed="failed",
    CompileFailed="no program",
    RunFailed="crashed",
    RunTimeout="late",
)
CPP = "int main() { return %s }"


@pytest.mark.parametrize(
    ("language", "source", "summary"),
    [
        ("python", "print(1)", "fine"),
        ("python", "", "fine"),
        ("python", "import sys; sys.exit(3)", "crashed"),
        ("python", "print(", "crashed"),
        ("python", "import os; os.kill(os.getpid(), 11)", "crashed"),
        ("python", "while True: pass", "late"),
        ("python", "import time; time.sleep(60)", "late"),
        ("cpp", CPP % "0;", "fine"),
        ("cpp", CPP % "7;", "crashed"),
        ("cpp", CPP % "", "no program"),
    ],
)
@pytest.mark.usefixtures("url")
def test_the_sdk_summarises_what_became_of_a_program(
    language: str, source: str, summary: str
) -> None:
    result = code(source, language=language, run_timeout=0.5)
    assert fusion.summary_run_code_result(result, MAPPING) == summary


@pytest.mark.usefixtures("url")
def test_the_sdk_sends_files_and_input_and_fetches_files() -> None:
    source = (
        "import sys\ndata = open('d/in.bin', 'rb').read() + sys.stdin.buffer.read()\n"
        "open('out.bin', 'wb').write(data[::-1])\n"
    )
    result = code(
        source,
        stdin="é",
        files={"d/in.bin": base64.b64encode(b"\x00\xff").decode(), "unused": None},
        fetch_files=["out.bin", "none"],
    )
    assert result.status == fusion.RunStatus.Success
    assert result.files == {"out.bin": base64.b64encode("é".encode()[::-1] + b"\xff\x00").decode()}


@pytest.mark.usefixtures("url")
def test_large_and_binary_outputs_come_back_whole_or_are_cut_with_a_mark() -> None:
    for size in (180_000, 5_000_000):
        whole = code(f"print('x' * {size})").run_result
        assert whole is not None
        assert whole.stdout == "x" * size + "\n"
    binary = code("import sys; sys.stdout.buffer.write(bytes([65, 255, 0, 66]))").run_result
    assert binary is not None
    assert binary.stdout == "A\ufffd\0B"
    flood = code("while True: print('x' * 1_000_000)")
    assert flood.run_result is not None
    assert flood.status == fusion.RunStatus.Failed
    assert flood.run_result.status == fusion.CommandRunStatus.Finished
    assert "[cut:" in (flood.run_result.stderr or "")


@pytest.mark.usefixtures("url")
def test_an_early_exit_with_unread_input_is_no_error() -> None:
    assert code("print(1)", stdin="x" * 3_000_000).status == fusion.RunStatus.Success


@pytest.mark.usefixtures("url")
def test_programs_see_none_of_our_environment() -> None:
    found = code("import os, subprocess; print(*os.environ); subprocess.run(['env'])").run_result
    assert found is not None
    assert "PATH" in (found.stdout or "")
    assert "HIDDEN_FROM_PROGRAMS" not in (found.stdout or "")
    assert "PROCTOR" not in (found.stdout or "")


def test_a_memory_limit_is_obeyed(http: httpx.Client) -> None:
    source = "data = bytearray(200 * 2**20); print(len(data))"
    statuses = [
        posted(
            http, "/run_code", {"code": source, "language": "python", "memory_limit_MB": memory}
        )["status"]
        for memory in (100, 400, -1)
    ]
    assert statuses == ["Failed", "Success", "Success"]


@pytest.mark.usefixtures("url")
def test_the_sdk_runs_many_at_once() -> None:
    asked = [
        [fusion.RunCodeRequest(code=f"print({number} * 2)", language="python")]
        for number in range(64)
    ]
    found = fusion.run_concurrent(fusion.run_code, args=asked, concurrency=64)
    assert [one.run_result.stdout for one in found] == [f"{number * 2}\n" for number in range(64)]

    async def together() -> list[Any]:
        return await asyncio.gather(*(fusion.run_code_async(*one) for one in asked[:16]))

    found = asyncio.run(together())
    assert [one.run_result.stdout for one in found] == [f"{number * 2}\n" for number in range(16)]


TESTS = "def test_one(): assert %s\n\n\ndef test_other(): assert True\n"


def test_the_sdk_runs_what_pytest_finds(http: httpx.Client) -> None:
    held, failed = (code(TESTS % one, language="pytest") for one in ("1", "0"))
    assert (held.status, "2 passed" in held.run_result.stdout) == ("Success", True)
    assert (failed.status, failed.run_result.return_code) == ("Failed", 1)
    # The SDK has no place for arguments, which the server takes.
    asked = {"code": TESTS % "0", "language": "pytest", "fetch_files": ["report.xml"]}
    asked["args"] = ["-k", "other", "--junitxml=report.xml"]
    chosen = posted(http, "/run_code", asked)
    assert chosen["status"] == "Success"
    assert b'tests="1"' in base64.b64decode(chosen["files"]["report.xml"])


@pytest.mark.parametrize(
    ("mode", "ours"),
    [("go_test", "go_test"), ("junit", "junit"), ("D_ut", "d_unittest"), ("kotlin_script",) * 2],
)
@pytest.mark.usefixtures("url")
def test_the_sdk_runs_modes_by_their_names(mode: str, ours: str) -> None:
    if ours not in BubblewrapBackend().languages():
        missing(f"no {mode} here: PROCTOR_ALL_LANGUAGES=1 scripts/packages")
    # JUnit's class is public, and its file is called like it.
    source = SOURCES[ours].replace("class Main", "class SumTest")
    limits = {"compile_timeout": 60, "run_timeout": 60, "memory_limit_MB": 512}
    held, failed = (
        code(source.replace("WANTED", wanted), language=mode, **limits) for wanted in ("2", "3")
    )
    assert (held.status, held.run_result.return_code) == ("Success", 0)
    assert failed.status == "Failed"
    assert failed.run_result.return_code


@pytest.mark.usefixtures("url")
def test_the_sdk_tells_of_a_language_that_is_not_here() -> None:
    with pytest.raises(Exception, match=r"422.*'swift', which can't be run here"):
        code("print(1)", language="swift")


CELLS = [
    "a = 123",
    "a",
    "print(a)",
    'import sys; sys.stderr.write("stderr message");',
    'raise RuntimeError("error message")',
    "class C:\n    def _repr_html_(self): return '<b>'\n    def __repr__(self): return 'C'\nC()",
    "import subprocess; subprocess.run(['echo', 'from a child']).returncode",
    "left = open('left.txt', 'w'); left.write(open('given.txt').read() + str(a));",
    "import os; os.mkdir('d'); os.chdir('d'); raise ValueError('\\ud800')",
]


@pytest.mark.usefixtures("url")
def test_the_sdk_runs_cells_one_after_the_other() -> None:
    given = base64.b64encode(b"given ").decode()
    result = fusion.run_jupyter(
        fusion.RunJupyterRequest(cells=CELLS, files={"given.txt": given}, fetch_files=["left.txt"]),
        max_attempts=1,
    )
    assert result.status == fusion.RunStatus.Success
    assert [(cell.stdout, cell.stderr) for cell in result.cells] == [
        ("", ""),
        ("", ""),
        ("123\n", ""),
        ("", "stderr message"),
        ("", ""),
        ("", ""),
        ("from a child\n", ""),
        ("", ""),
        ("", ""),
    ]
    assert [cell.display for cell in result.cells] == [
        [],
        [{"text/plain": "123"}],
        [],
        [],
        [],
        [{"text/plain": "C", "text/html": "<b>"}],
        [{"text/plain": "0"}],
        [],
        [],
    ]
    [error] = result.cells[4].error
    assert (error["ename"], error["evalue"]) == ("RuntimeError", "error message")
    assert '  File "<cell 5>", line 1' in error["traceback"][1]
    assert result.cells[8].error[0]["evalue"] == "?"
    assert result.files == {"left.txt": base64.b64encode(b"given 123").decode()}


@pytest.mark.parametrize(
    ("cells", "limits", "status", "errors"),
    [
        (["while True: pass", "1"], {"cell_timeout": 0.3}, "Success", ["CellTimeoutError", None]),
        (["import sys; sys.exit(3)", "1"], {}, "Success", ["SystemExit", None]),
        (["import os; os._exit(3)", "1"], {}, "Failed", []),
        (
            ["import threading, time; threading.Thread(target=time.sleep, args=[60]).start()"],
            {},
            "Success",
            [None],
        ),
        (["while True: pass", "1"], {"total_timeout": 0.5}, "Failed", []),
    ],
)
@pytest.mark.usefixtures("url")
def test_a_cell_ends_alone_where_its_process_lives_on(
    cells: list[str], limits: dict[str, float], status: str, errors: list[Any]
) -> None:
    result = fusion.run_jupyter(fusion.RunJupyterRequest(cells=cells, **limits), max_attempts=1)
    assert result.status == status
    assert [cell.error[0]["ename"] if cell.error else None for cell in result.cells] == errors


def submission(completion: str, identifier: Any, data: Any, **extra: Any) -> Any:
    config = fusion.TestConfig(language="python", provided_data=data, extra=extra)
    return fusion.submit(
        fusion.SubmitRequest(dataset="wire", id=identifier, completion=completion, config=config),
        max_attempts=1,
    )


@pytest.mark.usefixtures("url")
def test_the_sdk_submits_for_a_stored_problem_whose_tests_stay_hidden() -> None:
    right, wrong = submission(ADD, "sum", None), submission(THREE, "sum", None, run_all_cases=True)
    assert (right.accepted, [test.passed for test in right.tests]) == (True, [True, True])
    assert (wrong.accepted, [test.passed for test in wrong.tests]) == (False, [True, False])
    assert wrong.extracted_code == "print(3)\n"
    assert all(test.test_info is None for test in wrong.tests)
    assert all(test.exec_info.run_result.stdout is None for test in wrong.tests)


@pytest.mark.usefixtures("url")
def test_the_sdk_submits_with_the_tests() -> None:
    cases = [
        {"input": {"stdin": "3"}, "output": {"stdout": "YES\n"}},
        {"input": {"stdin": "4"}, "output": {"stdout": "0.3333333"}},
    ]
    program = "```python\nprint({'3': ' yes', '4': 1/3}[input()])\n```"
    found = submission(program, 5, [{"id": 5, "test": cases}])
    assert found.accepted
    assert found.tests[0].exec_info.run_result.stdout == " yes\n"
    asserts = {"test": {"code": "assert f(1) == 2\nassert f(2) == 4"}}
    assert submission("```python\ndef f(x): return 2 * x\n```", 5, asserts).accepted
    assert not submission("```python\ndef f(x): return 2\n```", 5, asserts).accepted
    forged = "```python\nimport os\nos._exit(0)\n```"
    assert not submission(forged, 5, asserts).accepted


@pytest.mark.usefixtures("url")
def test_the_sdk_lists_prompts(http: httpx.Client) -> None:
    config = fusion.TestConfig()
    [prompt] = fusion.get_prompts(fusion.GetPromptsRequest(dataset="wire", config=config))
    assert (prompt.id, prompt.prompt, prompt.labels) == ("sum", "Add the numbers.", {"level": 1})
    asked = fusion.GetPromptByIdRequest(dataset="wire", id="sum", config=config)
    assert fusion.get_prompt_by_id(asked) == prompt
    assert fusion.get_prompts(fusion.GetPromptsRequest(dataset="wir", config=config)) == []
    assert http.get("/list_datasets").json() == ["wire"]
    page = {"dataset": "wire", "config": {}, "offset": 1}
    assert posted(http, "/list_ids", page) == []
    assert http.get("/v1/ping").json() == "pong"


# -- others, as their clients ask --------------------------------------------------------------


def test_piston_compiles_and_runs_what_open_r1_sends(http: httpx.Client) -> None:
    files = [
        {
            "name": "main.cpp",
            "content": '#include <iostream>\n#include "x.h"\nint main() {'
            "int n; std::cin >> n; std::cout << n + X; }",
        },
        {
            "name": "x.h",
            "content": base64.b64encode(b"#define X 1\n").decode(),
            "encoding": "base64",
        },
    ]
    asked = {"files": files, "stdin": "41", "run_timeout": 4000, "compile_timeout": 60_000}
    found = posted(http, "/api/v2/execute", asked | {"language": "c++", "version": "*"})
    assert (found["compile"]["code"], found["run"]["code"], found["run"]["stdout"]) == (0, 0, "42")
    assert {"language", "version", "aliases"} <= http.get("/api/v2/runtimes").json()[0].keys()
    unknown = http.post("/api/v2/execute", json=asked | {"language": "cobol", "version": "*"})
    assert (unknown.status_code, unknown.json()) == (400, {"message": "cobol-* runtime is unknown"})


def test_piston_scores_codeforces_as_open_r1_asks_for_it(http: httpx.Client) -> None:
    checker = (
        "import sys\n"
        "given, expected, found = (open(name).read().split() for name in sys.argv[1:])\n"
        "print(int(sorted(expected) == sorted(found)))\n"
    )
    files = {
        "input.txt": "2 1",
        "correct_output.txt": "1 2\n",
        "grader_config": "TIME_LIMIT=2.0\nMEMORY_LIMIT=256.0\nINPUT_MODE=stdio",
    }
    program = "a, b = input().split()\nprint(a, b)"

    def score(source: str, more: dict[str, str]) -> Any:
        named = {"main.python": source} | more | files
        listed = [{"name": name, "content": content} for name, content in named.items()]
        asked = {"language": "cf_python3", "version": "*", "files": listed, "run_timeout": 5000}
        found = posted(http, "/api/v2/execute", asked)
        assert found["compile"]["code"] == 0
        return found["run"]["code"], found["run"]["stdout"]

    assert score(program, {}) == (0, "0")
    assert score("print(1, 2)", {}) == (0, "1")
    assert score(program, {"checker.py": checker}) == (0, "1")
    assert score("print(1, 1)", {"checker.py": checker}) == (0, "0")
    assert score("exit(3)", {"checker.py": checker}) == (0, "0")
    # The expected output is not there for a program to print.
    reads = "import glob; print(*(open(name).read() for name in glob.glob('**', recursive=True)))"
    assert score(reads, {"checker.py": checker}) == (0, "0")


def test_open_instruct_has_its_results_in_every_form(http: httpx.Client) -> None:
    program = "def add(a, b): return a + b"
    tests = ["assert add(1, 2) == 3", "assert add(0, 0) == 1", "no python", "assert add(1, 1) == 2"]
    packed = base64.b64encode(zlib.compress(pickle.dumps(tests))).decode()
    for form in (tests, json.dumps(tests), packed):
        found = posted(http, "/test_program", {"program": program, "tests": form})
        assert found["results"] == [1, 0, 0, 1]
        assert [seconds >= 0 for seconds in found["runtimes"]] == [True, False, False, True]
    cases = [{"input": "1\n", "output": "2\n"}, {"input": "9", "output": " 10.0"}]
    program = "q = deque([int(input())])\nprint(q.pop() + 1)"
    found = posted(http, "/test_program_stdio", {"program": program, "tests": cases})
    assert found["results"] == [1, 1]
    late = {"program": "while True: pass", "tests": tests[:1], "max_execution_time": 0.5}
    assert posted(http, "/test_program", late) == {"results": [0], "runtimes": [-1.0]}
    assert posted(http, "/test_program", {"program": "", "tests": []})["results"] == []
    assert http.get("/health").json() == {"status": "healthy"}
    broken = http.post("/test_program", json={"program": "", "tests": "not packed"})
    assert (broken.status_code, "detail" in broken.json()) == (422, True)


def test_slime_has_a_bare_number_or_an_object(http: httpx.Client) -> None:
    asked = {"prompt": [{"role": "user", "content": "?"}], "response": THREE, "label": "wire/sum"}
    assert posted(http, "/remote_rm", asked) == 0.5
    assert posted(http, "/remote_rm?policy=all_or_nothing", asked) == 0.0
    detailed = posted(http, "/remote_rm?detail=true", asked)
    assert (detailed["reward"], detailed["verdict"]) == (0.5, "WA")
    tests = json.dumps({"inputs": ["1 2"], "outputs": ["3"]})
    assert posted(http, "/remote_rm", asked | {"label": tests}) == 1.0


def test_nemo_gym_has_its_request_back_with_a_reward(http: httpx.Client) -> None:
    program = "```python\nclass Solution:\n    def f(self, x: List[int]): return sum(x)\n```"
    message = {"type": "message", "content": [{"type": "output_text", "text": program}]}
    asked = {
        "responses_create_params": {"input": [{"role": "user", "content": "?"}]},
        "response": {"id": "r", "output": [message]},
        "verifier_metadata": {
            "unit_tests": {"inputs": ["[1, 2]", "[]"], "outputs": ["3", "0"], "fn_name": "f"},
            "difficulty": "easy",
        },
    }
    found = posted(http, "/verify", asked)
    assert found.items() >= asked.items()
    assert (found["reward"], found["result"], found["difficulty"]) == (1.0, [True, True], "easy")
    stored = asked | {"verifier_metadata": {"problem_id": "wire/sum"}}
    assert posted(http, "/verify", stored)["reward"] == 0.0


def test_open_r1s_router_has_executions_with_values(http: httpx.Client) -> None:
    # What open-r1's code_reward sends: the program as text in a script whose value is the reward.
    grader = (
        "import subprocess\n"
        "def grade(code):\n"
        "    argv = ['python3', '-c', code]\n"
        "    ran = subprocess.run(argv, input=b'2', capture_output=True)\n"
        "    return float(ran.stdout.strip() == b'4')\n"
        "grade('print(int(input()) * 2)')\n"
    )
    scripts = [grader, "print('out')\n1 / 0", "import time; time.sleep(60)", "x"]
    languages = ["python", "python", "python", "cobol"]
    asked = {"scripts": scripts, "languages": languages, "timeout": 1, "request_timeout": 1}
    value, failed, late, unknown = posted(http, "/execute_batch", asked)
    assert value["execution"]["results"] == [{"text": "1.0", "is_main_result": True}]
    assert failed["execution"]["error"]["name"] == "ZeroDivisionError"
    assert failed["execution"]["logs"] == {"stdout": ["out\n"], "stderr": []}
    assert late["execution"] is None
    assert "time limit" in late["exception_str"]
    assert unknown["execution"] is None
    assert "'cobol'" in unknown["exception_str"]
