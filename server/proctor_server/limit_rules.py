"""Limit rules: what an operator allows, and what a problem gets that asks for nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from proctor.types import LimitsSpec
from proctor_sandbox.limits import MIB, Limits, default_wall_time_s

KIB = 1024


@dataclass(frozen=True, slots=True)
class LimitRules:
    """The server's default limits and the most that a problem may ask for."""

    default: Limits = field(default_factory=Limits)
    # Contest problems end at 30 s (longest in CodeContests); wall time by the rule of Limits.
    max_cpu_time_s: float = 60.0
    max_wall_time_s: float = default_wall_time_s(60.0)
    # Codeforces goes to 1 GiB; room above it for numpy and pandas.
    max_memory_bytes: int = 4096 * MIB
    # A worker holds a test's output in memory; 64 MiB is the largest contest answer's size.
    max_output_bytes: int = 64 * MIB

    def resolve(self, spec: LimitsSpec) -> Limits:
        """The limits of one test, with the defaults where `spec` says nothing."""
        default = self.default
        if spec.cpu_time_s is None:
            cpu_time_s, wall_time_s = default.cpu_time_s, default.wall_time_s
        else:
            cpu_time_s = spec.cpu_time_s
            wall_time_s = min(default_wall_time_s(cpu_time_s), self.max_wall_time_s)
        return Limits(
            cpu_time_s=cpu_time_s,
            wall_time_s=wall_time_s if spec.wall_time_s is None else spec.wall_time_s,
            memory_bytes=default.memory_bytes if spec.memory_mb is None else spec.memory_mb * MIB,
            output_bytes=default.output_bytes if spec.output_kb is None else spec.output_kb * KIB,
            processes=default.processes,
        )

    def excesses(self, spec: LimitsSpec) -> Iterator[tuple[str, float]]:
        """The fields of `spec` above the maximum, each with the most allowed, in its own unit."""
        for name, most in (
            ("cpu_time_s", self.max_cpu_time_s),
            ("wall_time_s", self.max_wall_time_s),
            ("memory_mb", self.max_memory_bytes // MIB),
            ("output_kb", self.max_output_bytes // KIB),
        ):
            asked = getattr(spec, name)
            if asked is not None and asked > most:
                yield name, most
