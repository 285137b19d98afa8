"""What peers say of limits: a time-out is of wall-clock time, and bounds CPU time too.

What is above the server's maximum is the maximum: a peer's client has no smaller number to try, and
takes an error for a fault of the sandbox.
"""

from proctor.types import LimitsSpec
from proctor_sandbox.limits import MIB
from proctor_server.limit_rules import LimitRules

# A judged test that is ended by the clock near its CPU limit is run again, since that may have been
# a busy machine's doing. Beyond CPU_SLACK an endless loop is ended by its CPU time, once.
_WALL_PER_CPU = 1.5


def for_run(
    timeout_s: float, rules: LimitRules, *, cpu_time_s: float | None = None, memory_mb: float = -1
) -> LimitsSpec:
    """A raw run's limits for a time-out in seconds, and memory in MiB (0 or less: the default)."""
    cpu_time_s = timeout_s if cpu_time_s is None else cpu_time_s
    memory = min(int(memory_mb), rules.max_memory_bytes // MIB)
    return LimitsSpec(
        cpu_time_s=min(cpu_time_s, rules.max_cpu_time_s),
        wall_time_s=min(timeout_s, rules.max_wall_time_s),
        memory_mb=max(memory, 1) if memory_mb > 0 else None,
    )


def for_test(timeout_s: float, rules: LimitRules) -> LimitsSpec:
    """A judged test's limits for a time-out in seconds. As everywhere, CPU time decides."""
    return LimitsSpec(
        cpu_time_s=min(timeout_s, rules.max_cpu_time_s),
        wall_time_s=min(_WALL_PER_CPU * timeout_s, rules.max_wall_time_s),
    )
