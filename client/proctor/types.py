"""The wire types: what a client posts and what it gets back.

Every field's unit is in its name. Limits and bounds are the server's to enforce; the ones
given here are those that make no sense on any server.
"""

from enum import StrEnum
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from proctor.content import MOST_FILES, Files

Argument = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    __test__ = False  # pytest would collect TestResult and its like as test classes


class _Answer(_Wire):
    # A client must read the answers of a server newer than itself.
    model_config = ConfigDict(extra="ignore")


class Verdict(StrEnum):
    """What became of a program, or of one of its tests."""

    AC = "AC"  # accepted
    WA = "WA"  # wrong answer
    TLE = "TLE"  # time limit exceeded
    MLE = "MLE"  # memory limit exceeded
    OLE = "OLE"  # output limit exceeded
    RE = "RE"  # run-time error
    CE = "CE"  # compile error
    IE = "IE"  # internal error: ours, never the program's


# -- problems ---------------------------------------------------------------------------------


class LimitsSpec(_Wire):
    """Limits of one test. What is left out is the server's default."""

    cpu_time_s: float | None = Field(None, gt=0, allow_inf_nan=False, description="Decides TLE.")
    wall_time_s: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Backstop only; by default 4 x CPU + 4 s."
    )
    memory_mb: int | None = Field(None, gt=0, description="MiB.")
    output_kb: int | None = Field(None, gt=0, description="KiB, stdout and stderr together.")


class Comparer(_Wire):
    """How an output is compared with the expected one. docs/problems.md gives each one's source."""

    name: Literal[
        "exact", "rstrip", "lines", "tokens", "floats", "livecodebench", "sandbox_fusion"
    ] = "lines"
    abs_tol: float = Field(1e-6, ge=0, description="Only for floats.")
    rel_tol: float = Field(1e-6, ge=0, description="Only for floats.")


class _Test(_Wire):
    weight: float = Field(1.0, ge=0, le=1e6, allow_inf_nan=False, description="For `weighted`.")
    public: bool = Field(
        False, description="Only a public test's input, output and stderr are ever shown."
    )


class StdinTest(_Test):
    """The program reads `input` and must print `output`, as the problem's comparer sees it."""

    kind: Literal["stdin"] = "stdin"
    input: str
    output: str
    args: list[Argument] = Field([], max_length=MOST_FILES, description="The program's arguments.")
    files: Files = Field({}, description="Put where the program starts.")


class CallTest(_Test):
    """`function(*args, **kwargs)` must return `expected`; tuples and lists are the same here."""

    kind: Literal["call"] = "call"
    function: str = Field(min_length=1, max_length=200, description="`name` or `Class.method`.")
    args: list[JsonValue] = []
    kwargs: dict[str, JsonValue] = {}
    expected: JsonValue


class AssertionTest(_Test):
    """Python test code, run by an examiner; each assert statement counts as a test case."""

    kind: Literal["assertion"] = "assertion"
    code: str = Field(min_length=1)
    entry_point: str | None = Field(
        None, max_length=200, description="What the name `candidate` stands for in the code."
    )


TestCase = Annotated[StdinTest | CallTest | AssertionTest, Field(discriminator="kind")]


class Reference(_Wire):
    """A solution known to be right. As hidden as the tests."""

    language: str
    source: str


def _is_a_path_of_its_own(name: str) -> str:
    # HTTP clients resolve dot segments, so such an id could never be asked for.
    if not {".", ".."}.isdisjoint(name.split("/")):
        raise ValueError("must not have . or .. between slashes")
    # GET /v1/problems/{id}/stats is another thing than a problem.
    if name.split("/")[-1] == "stats":
        raise ValueError("must not end in the word stats")
    return name


ProblemId = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._:/@+-]+$"),
    AfterValidator(_is_a_path_of_its_own),
]


class Problem(_Wire):
    """Statement, limits, comparer and hidden tests under one id."""

    id: ProblemId
    statement: str = ""
    prefix: str = Field("", description="Put before a `continuation`: a signature, imports.")
    entry_point: str | None = Field(None, max_length=200)
    limits: LimitsSpec = LimitsSpec()
    comparer: Comparer = Comparer()
    tests: list[TestCase] = Field(min_length=1)
    files: Files = Field(
        {}, description="Beside every program; they take the place of files that it brings."
    )
    reference: Reference | None = None
    metadata: dict[str, JsonValue] = {}


class ProblemInfo(_Answer):
    """What anyone may know of a problem: never its tests nor its reference."""

    id: str
    version: str = Field(description="SHA-256 of what decides a verdict.")
    statement: str
    prefix: str
    entry_point: str | None
    limits: LimitsSpec
    comparer: Comparer
    tests: int
    public_tests: list[TestCase]
    metadata: dict[str, JsonValue]


class ImportReport(_Answer):
    """What a bulk import did."""

    stored: int
    unchanged: int


# -- submissions ------------------------------------------------------------------------------


class RewardPolicy(_Wire):
    """How verdicts become a reward. Whatever the policy, IE gives null."""

    name: Literal["pass_rate", "all_or_nothing", "weighted", "threshold"] = "pass_rate"
    threshold: float = Field(
        1.0, gt=0, le=1, description="threshold: 1.0 at this pass rate or above, else 0.0."
    )
    compile_error: float = Field(
        0.0, le=0, ge=-100, description="Reward of a program that does not compile."
    )


class Extraction(_Wire):
    """How a program is taken out of a raw completion: the last fenced block after </think>."""

    missing_fence: Literal["empty", "whole"] = Field(
        "empty", description="A completion without a fence: no program at all, or the whole text."
    )


class Item(_Wire):
    """One program for one problem. Exactly one of source, completion and continuation.

    `source` is a whole program, `completion` a model's raw answer out of which the program is
    taken, `continuation` the text that follows the problem's prefix (HumanEval's samples).
    """

    id: str | None = Field(None, max_length=200, description="Yours; comes back in the result.")
    problem_id: ProblemId | None = None
    problem: Problem | None = Field(None, description="An inline problem, instead of an id.")
    language: str = Field("python", max_length=40)
    source: str | None = None
    completion: str | None = None
    continuation: str | None = None
    files: Files = Field({}, description="Beside the source, and copies where it starts.")
    reward: RewardPolicy | None = Field(None, description="Instead of the batch's.")

    @model_validator(mode="after")
    def _one_of_each(self) -> "Item":
        if (self.problem_id is None) == (self.problem is None):
            raise ValueError("give exactly one of problem_id and problem")
        if [self.source, self.completion, self.continuation].count(None) != 2:
            raise ValueError("give exactly one of source, completion and continuation")
        return self


# A week: longer than any training step, short enough that nothing is kept for ever.
Deadline = Annotated[
    float | None,
    Field(
        gt=0,
        le=7 * 24 * 3600,
        allow_inf_nan=False,
        description="Seconds from acceptance, after which what has no result is cancelled.",
    ),
]


class BatchRequest(_Wire):
    """Many submissions posted together: a rollout step's prompts x samples."""

    items: list[Item] = Field(min_length=1)
    reward: RewardPolicy = RewardPolicy()
    stop: Literal["never", "first_failure"] = "never"
    extraction: Extraction = Extraction()
    fresh: bool = Field(False, description="Run every program even if an equal one is known.")
    deadline_s: Deadline = None


class SubmissionRequest(Item):
    """A batch of one."""

    stop: Literal["never", "first_failure"] = "never"
    extraction: Extraction = Extraction()
    fresh: bool = False
    deadline_s: Deadline = None


class RewardsRequest(_Wire):
    """Completions in, rewards out, in order, in one call."""

    problem_ids: list[ProblemId] = Field(min_length=1)
    completions: list[str] = Field(min_length=1)
    language: str = "python"
    reward: RewardPolicy = RewardPolicy()
    stop: Literal["never", "first_failure"] = "never"
    extraction: Extraction = Extraction()
    deadline_s: Deadline = None

    @model_validator(mode="after")
    def _same_length(self) -> "RewardsRequest":
        if len(self.problem_ids) != len(self.completions):
            raise ValueError(
                f"problem_ids has {len(self.problem_ids)} entries, "
                f"completions has {len(self.completions)}: give one problem id per completion"
            )
        return self


# -- results ----------------------------------------------------------------------------------


class PublicRun(_Answer):
    """What a public test shows. Output that is not UTF-8 is shown with U+FFFD in its place."""

    input: str
    expected: str
    stdout: str
    stderr: str


class TestResult(_Answer):
    """One test case. `passed` of `total` is 0 or 1 of 1, or counts an examiner's assertions."""

    verdict: Verdict
    passed: int
    total: int
    weight: float = 1.0
    cpu_time_s: float
    wall_time_s: float
    memory_mb: float
    exit_code: int | None = None
    signal: int | None = None
    public: PublicRun | None = None


class Result(_Answer):
    """What became of one submission."""

    index: int = Field(description="Place in the batch, from 0.")
    id: str | None = None
    submission_id: str
    problem_id: str
    language: str
    state: Literal["done", "cancelled"] = "done"
    verdict: Verdict | None = Field(description="Null only when cancelled.")
    pass_rate: float | None = Field(description="passed / total; null for IE and cancelled.")
    reward: float | None = Field(description="Null when the fault is ours, or cancelled.")
    passed: int
    total: int
    tests: list[TestResult] = []
    compile_output: str | None = Field(None, description="The compiler's words, for CE.")
    reason: str | None = Field(None, description="What failed on our side, for IE.")
    cause: str | None = Field(None, description="Its kind, as GET /v1/stats counts them.")
    queue_time_s: float = 0.0
    run_time_s: float = 0.0
    cached: bool = Field(False, description="An equal program's result was used.")


# A reward depends on the policy; what it is made from does not. 0 and 1 are apart: in training
# most programs are there.
PassRateBin = Literal["0", "below 0.2", "below 0.4", "below 0.6", "below 0.8", "below 1", "1"]
PASS_RATES: tuple[PassRateBin, ...] = get_args(PassRateBin)


class BatchStatus(_Answer):
    """How far a batch is."""

    id: str
    state: Literal["running", "done", "cancelled"]
    total: int
    completed: int
    verdicts: dict[Verdict, int] = {}
    pass_rates: dict[PassRateBin, int] = Field(
        {}, description="Results by pass rate; IE and cancelled ones have none."
    )
    created_at: float = Field(description="Unix time, seconds.")


class ListedBatch(BatchStatus):
    """A batch in the list of batches."""

    caller: str = Field(description="The name of the key that posted it; empty without keys.")


class BatchPage(_Answer):
    """One page of batches, newest first; `next` is what to give as `after` for the page behind."""

    batches: list[ListedBatch]
    next: str | None = None


class SubmissionDetail(_Answer):
    """One submission as it was posted, and what became of it."""

    index: int = Field(description="Place in the batch, from 0.")
    problem_id: str
    language: str
    source: str | None = Field(description="The program; null where the server keeps none.")
    result: Result | None = Field(description="Null while there is none.")


class StreamEnd(_Answer):
    """The last line of a results stream: where to go on, and whether there is more to come."""

    cursor: int
    state: Literal["running", "done", "cancelled"]


class RewardsResponse(_Answer):
    """`rewards[i]` belongs to `completions[i]`."""

    batch_id: str
    rewards: list[float | None]
    verdicts: list[Verdict | None]


# -- how the service does ---------------------------------------------------------------------


class Spread(_Answer):
    """The median and the 95th percentile of many durations, in seconds.

    Estimated from counters a factor of 2^(1/4) apart: within 10 % of the exact figure.
    """

    p50: float
    p95: float


class StatsBucket(_Answer):
    """What came of ten seconds."""

    at: float = Field(description="Unix time of its begin, seconds.")
    programs: int = Field(description="Results written, cached ones included.")
    verdicts: dict[str, int] = {}
    cached: int = 0
    queue_wait_s: Spread | None = Field(None, description="From accepted to started. Not cached.")
    run_s: Spread | None = Field(None, description="In sandboxes, all tests of a program.")


class WorkerStats(_Answer):
    """One worker, as it described itself seconds ago."""

    name: str
    host: str
    pid: int
    slots: int = Field(description="How many programs it runs at a time.")
    languages: list[str]
    backend: str = Field(description="The kind of sandbox.")
    runtime: str
    version: str
    state: str = Field(description='"starting", "idle", "busy" or "no sandbox".')
    started_at: float = Field(description="Unix time, seconds.")
    units: int = Field(description="Programs that it ran since then.")
    batch: str | None = Field(None, description="Id of the batch that it works for now.")
    language: str | None = Field(None, description="What it runs now is written in this.")
    units_per_s: float = Field(0.0, description="Over the last ten seconds.")


class MemoryStats(_Answer):
    """Redis's memory."""

    used_bytes: int
    limit_bytes: int | None = Field(description="Redis's maxmemory; null where it has none.")
    nearly_full: bool = Field(description="So full that programs posted now get 503.")


class Stats(_Answer):
    """How the service does, now and over the last hour."""

    at: float = Field(description="Unix time, seconds.")
    version: str
    pending: int = Field(description="Programs queued or running.")
    waiting_chunks: int = Field(description="Jobs that no worker has taken yet.")
    oldest_wait_s: float | None = Field(description="For how long the oldest of them has waited.")
    memory: MemoryStats
    programs_per_s: float = Field(description="Results a second, over the last minute.")
    ie_share: float = Field(description="Of the last hour's results, 0.0 to 1.0.")
    cached_share: float = Field(description="Of the last hour's results, 0.0 to 1.0.")
    verdicts: dict[str, int] = Field(description="Of the last hour.")
    faults: dict[str, int] = Field(description="IEs of the last hour by cause.")
    workers: list[WorkerStats]
    history: list[StatsBucket] = Field(
        description="The last hour, oldest first; ten seconds without a result are left out."
    )


Suspicion = Literal["always 0", "always 1", "flaky"]


class ProblemStats(_Answer):
    """What came of the submissions for one stored problem, since its tests were last changed."""

    id: str
    tests: int
    submissions: int = Field(description="Results, cached ones and IE included.")
    accepted: int
    pass_rate: float | None = Field(description="The mean; null before the first one that counts.")
    internal_errors: int
    reruns: int = Field(description="Fresh runs of a program whose verdict was known already.")
    flaky: int = Field(description="Those of them that ended with another verdict.")
    suspicious: Suspicion | None = Field(
        None, description="After 20 verdicts: what makes this problem one to look at."
    )


class ProblemStatsPage(_Answer):
    """One page of problems by id; `next` is what to give as `after` for the following page."""

    problems: list[ProblemStats]
    next: str | None = None


# -- errors -----------------------------------------------------------------------------------


class FieldProblem(_Answer):
    """One thing that is wrong with a request."""

    field: str = Field(description="Where: a path such as items[3].source.")
    reason: str = Field(description="What is wrong.")
    remedy: str = Field(description="How to mend it.")


class ProblemDetails(BaseModel):
    """An error answer (RFC 9457, application/problem+json)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []
