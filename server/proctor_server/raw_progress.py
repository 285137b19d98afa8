"""A raw run on its way through a sandbox: no test decides anything, what it left is the outcome."""

from proctor.content import to_bytes, to_content
from proctor.runs import Phase, Ran
from proctor.types import Verdict
from proctor_sandbox.errors import SandboxLost
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import End, Report, Run, StdinCase, Work
from proctor_server.grading.verdicts import end_verdict
from proctor_server.limit_rules import LimitRules
from proctor_server.outcome import Cause, Outcome
from proctor_server.progress import program_of
from proctor_server.units import RawRun, Unit


class RawProgress:
    """What is to be run of a raw run, and what came of it.

    `losses` counts the sandboxes that were lost while it ran in them.
    """

    def __init__(self, unit: Unit, raw: RawRun, rules: LimitRules) -> None:
        self.unit = unit
        self.losses = 0
        self._limits = rules.resolve(raw.limits)
        self._work = Work(
            program=program_of(unit, {}),
            cases=[StdinCase(to_bytes(raw.stdin), tuple(raw.args), {}, tuple(raw.fetch))],
            limits=self._limits,
            compile_time_s=raw.compile_wall_time_s,
            tag=self,
        )

    def next_work(self) -> Work:
        """The one run."""
        return self._work

    def record(self, report: Report) -> Outcome | None:
        """The outcome. Raises SandboxLost for a report that holds nothing."""
        if not report.runs:
            raise SandboxLost("the sandbox reported a program without a single run")
        run = report.runs[0]
        if not report.compiled:
            return _outcome(Ran(compile=_phase(run, _compile_verdict(run))), Verdict.CE, run)
        ran = Ran(
            compile=None if report.compilation is None else _phase(report.compilation, Verdict.AC),
            run=_phase(run, _verdict(run, self._limits)),
            files={path: to_content(data) for path, data in run.fetched.items()},
            missing=dict(run.unfetched),
        )
        return _outcome(ran, _verdict(run, self._limits), run)

    def lost(self, reason: str) -> Outcome:
        """The outcome of a run that its sandboxes did not survive."""
        return Outcome.internal_error(reason, Cause.SANDBOX_LOST, total=1)


def _outcome(ran: Ran, verdict: Verdict, run: Run) -> Outcome:
    return Outcome(
        verdict=verdict,
        passed=int(verdict is Verdict.AC),
        total=1,
        total_weight=1.0,
        run_time_s=round(run.wall_time_s, 6),
        ran=ran,
    )


def _verdict(run: Run, limits: Limits) -> Verdict:
    """AC for a program that ended by itself with exit status 0: there is nothing else to hold."""
    ended_well = run.end is End.EXITED and run.exit_code == 0
    return end_verdict(run, limits) or (Verdict.AC if ended_well else Verdict.RE)


def _compile_verdict(run: Run) -> Verdict:
    return Verdict.TLE if run.stopped in (End.CPU_LIMIT, End.WALL_LIMIT) else Verdict.CE


def _phase(run: Run, verdict: Verdict) -> Phase:
    return Phase(
        verdict=verdict,
        stdout=to_content(run.stdout),
        stderr=to_content(run.stderr),
        truncated=End.OUTPUT_LIMIT in (run.end, run.stopped),
        exit_code=run.exit_code,
        signal=run.signal,
        cpu_time_s=round(run.cpu_time_s, 6),
        wall_time_s=round(run.wall_time_s, 6),
        memory_mb=round(run.memory_bytes / MIB, 3),
    )
