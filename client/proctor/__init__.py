"""Proctor's client: hand in programs, get back rewards.

from proctor import Client

with Client("http://127.0.0.1:8077") as client:
    rewards = client.score(["HumanEval/0", ...], [completion, ...])
"""

from proctor._async_client import AsyncBatch, AsyncClient
from proctor._client import DEFAULT_URL, Batch, Client
from proctor._requests import Options
from proctor._responses import ServerInfo
from proctor._retries import Retry
from proctor._version import __version__
from proctor.content import Binary
from proctor.errors import (
    BadAnswer,
    Conflict,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    NotPermitted,
    ProctorError,
    Refused,
    ServerFailed,
    Unscored,
    WaitTimeout,
)
from proctor.rewards import Judged, Reward
from proctor.runs import Phase, RunRequest, RunResult
from proctor.types import (
    AssertionTest,
    BatchPage,
    BatchStatus,
    CallTest,
    Comparer,
    Extraction,
    FieldProblem,
    ImportReport,
    Item,
    LimitsSpec,
    ListedBatch,
    MemoryStats,
    Problem,
    ProblemDetails,
    ProblemInfo,
    ProblemStats,
    ProblemStatsPage,
    PublicRun,
    Reference,
    Result,
    RewardPolicy,
    Spread,
    Stats,
    StatsBucket,
    StdinTest,
    SubmissionDetail,
    TestCase,
    TestResult,
    Verdict,
    WorkerStats,
)

__all__ = [
    "DEFAULT_URL",
    "AssertionTest",
    "AsyncBatch",
    "AsyncClient",
    "BadAnswer",
    "Batch",
    "BatchPage",
    "BatchStatus",
    "Binary",
    "CallTest",
    "Client",
    "Comparer",
    "Conflict",
    "ConnectionFailed",
    "Extraction",
    "FieldProblem",
    "ImportReport",
    "InvalidRequest",
    "Item",
    "Judged",
    "LimitsSpec",
    "ListedBatch",
    "MemoryStats",
    "NotFound",
    "NotPermitted",
    "Options",
    "Phase",
    "Problem",
    "ProblemDetails",
    "ProblemInfo",
    "ProblemStats",
    "ProblemStatsPage",
    "ProctorError",
    "PublicRun",
    "Reference",
    "Refused",
    "Result",
    "Retry",
    "Reward",
    "RewardPolicy",
    "RunRequest",
    "RunResult",
    "ServerFailed",
    "ServerInfo",
    "Spread",
    "Stats",
    "StatsBucket",
    "StdinTest",
    "SubmissionDetail",
    "TestCase",
    "TestResult",
    "Unscored",
    "Verdict",
    "WaitTimeout",
    "WorkerStats",
    "__version__",
]
