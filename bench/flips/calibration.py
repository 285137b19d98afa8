"""Programs that use a given part of a limit, fitted to what a quiet sandbox says of them."""

import statistics
from dataclasses import dataclass

from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import End, Program, Run, StdinCase, Work
from proctor_sandbox.seam import Sandbox

# What each of them prints at its end.
DONE = "done\n"

_BURN = "import time\nwhile time.process_time() < {seconds:.6f}:\n    pass\nprint('done')\n"
_STEPS = "x = 1\nfor step in range({steps}):\n    x = x * 31 % 1000003\nprint('done')\n"
# Every page of it is written, so it is real.
_HOLD = "held = b'x' * {size}\nprint('done')\n"

_TRIALS = 5
_TRIAL_S = 0.2
_TRIAL_STEPS = 2_000_000
_UNLIMITED = Limits.for_cpu(20.0)
# A sandbox's own memory moves by more than this from one program to the next.
_MEMORY_STEP_BYTES = MIB // 4


@dataclass(frozen=True, slots=True)
class Calibration:
    """What it takes to use a given amount.

    `cpu_extra_s` is what a program is charged besides what its own clock shows;
    `memory_bytes` is the most that a program can hold under a limit of `memory_limit_bytes`.
    """

    cpu_extra_s: float
    steps_per_s: float
    memory_limit_bytes: int
    memory_bytes: int

    def by_the_clock(self, cpu_s: float) -> str:
        """A program that runs until it has used so much CPU time."""
        return _BURN.format(seconds=cpu_s - self.cpu_extra_s)

    def by_the_work(self, cpu_s: float) -> str:
        """A program whose fixed amount of work takes so much CPU time on a quiet machine."""
        return _STEPS.format(steps=round((cpu_s - self.cpu_extra_s) * self.steps_per_s))

    def holding(self, share: float) -> str:
        """A program that holds this share of the most that it can."""
        return _HOLD.format(size=round(share * self.memory_bytes))


def calibrated(sandbox: Sandbox, memory_limit_bytes: int) -> Calibration:
    """Measure in a Python sandbox. Raises SandboxLost."""
    burns = [_run(sandbox, _BURN.format(seconds=_TRIAL_S)) for _ in range(_TRIALS)]
    extra_s = statistics.median(run.cpu_time_s for run in burns) - _TRIAL_S
    runs = [_run(sandbox, _STEPS.format(steps=_TRIAL_STEPS)) for _ in range(_TRIALS)]
    steps_s = statistics.median(run.cpu_time_s for run in runs) - extra_s
    return Calibration(
        cpu_extra_s=extra_s,
        steps_per_s=_TRIAL_STEPS / steps_s,
        memory_limit_bytes=memory_limit_bytes,
        memory_bytes=_most_memory(sandbox, memory_limit_bytes),
    )


def _most_memory(sandbox: Sandbox, limit_bytes: int) -> int:
    limits = Limits.for_cpu(20.0, memory_bytes=limit_bytes)
    fits, too_much = 0, 2 * limit_bytes
    while too_much - fits > _MEMORY_STEP_BYTES:
        middle = (fits + too_much) // 2
        run = _run(sandbox, _HOLD.format(size=middle), limits)
        if run.end is End.MEMORY_LIMIT:
            too_much = middle
        else:
            fits = middle
    return fits


def _run(sandbox: Sandbox, source: str, limits: Limits = _UNLIMITED) -> Run:
    work = Work(Program("python", source), [StdinCase(b"")], limits)
    (report,) = sandbox.execute([work])
    return report.runs[0]
