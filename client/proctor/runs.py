"""Raw runs: one program run once, its output given back; no tests, no reward."""

from pydantic import BaseModel, ConfigDict, Field

from proctor.content import MOST_FILES, Content, Files, Path
from proctor.types import Argument, LimitsSpec, Verdict


class RunRequest(BaseModel):
    """A program and what it is run on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str = Field("python", max_length=40)
    source: str
    stdin: Content = ""
    args: list[Argument] = Field([], max_length=MOST_FILES)
    files: Files = Field(
        {}, description="Beside the source when it is compiled, and where the program starts."
    )
    fetch: list[Path] = Field(
        [], max_length=MOST_FILES, description="Files to give back, as the program left them."
    )
    limits: LimitsSpec = LimitsSpec()
    compile_wall_time_s: float | None = Field(None, gt=0, allow_inf_nan=False)


class Phase(BaseModel):
    """How a compiler or a program ended, and what it wrote."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    verdict: Verdict = Field(description="AC: it ended by itself with exit status 0.")
    stdout: Content
    stderr: Content
    truncated: bool = Field(description="The output limit cut its output.")
    exit_code: int | None
    signal: int | None
    cpu_time_s: float
    wall_time_s: float
    memory_mb: float


class Ran(BaseModel):
    """What a raw run left."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    compile: Phase | None = Field(None, description="Null where nothing is compiled.")
    run: Phase | None = Field(None, description="Null after CE and IE.")
    files: dict[str, Content] = Field({}, description="Those of `fetch` that were there.")
    missing: dict[str, str] = Field({}, description="Why others of `fetch` are not.")


class RunResult(Ran):
    """What became of a raw run."""

    verdict: Verdict = Field(description="CE, the run's own, or IE, which is ours.")
    reason: str | None = Field(None, description="What failed on our side, for IE.")
    queue_time_s: float = 0.0
