"""Resource limits of one test, in units that their names carry."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one test of one program may use.

    The CPU limit decides; the wall limit only ends programs that wait for nothing.
    A program is left to run up to `CPU_SLACK` times its CPU limit, so that a result
    just over the limit is known well enough to be worth a second run.
    """

    # The usual limit of competitive programming sets (Codeforces, CodeContests: 1 to 3 s).
    cpu_time_s: float = 2.0
    # A multiple plus a constant: long enough that a busy machine does not end honest programs.
    wall_time_s: float = 12.0
    # CodeContests and Codeforces: 256 MiB; interpreters with numpy need room of their own.
    memory_bytes: int = 512 * MIB
    # stdout and stderr together; HumanEval and contest answers are far below.
    output_bytes: int = 16 * MIB
    # Threads count too: enough for a thread pool, too few for a fork bomb to hurt.
    processes: int = 64

    @classmethod
    def for_cpu(cls, cpu_time_s: float, **others: int) -> "Limits":
        """Limits for a CPU time in seconds, with the wall-clock backstop derived from it."""
        return cls(cpu_time_s=cpu_time_s, wall_time_s=default_wall_time_s(cpu_time_s), **others)


# A result within this factor of the CPU limit is measured to its end, not cut off at the limit.
# The agent has the same figure (agent/supervise.py), since it imports nothing of ours; a test
# holds the two together.
CPU_SLACK = 1.2


def default_wall_time_s(cpu_time_s: float) -> float:
    """The wall-clock backstop (seconds) for a CPU limit (seconds)."""
    return 4 * cpu_time_s + 4
