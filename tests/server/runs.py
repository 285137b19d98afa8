"""Runs made by hand, as evidence to grade."""

from proctor_sandbox.programs import Answer, Assertions, End, Run


def run(
    stdout: bytes = b"",
    *,
    end: End = End.EXITED,
    exit_code: int | None = 0,
    signal: int | None = None,
    cpu_time_s: float = 0.01,
    memory_bytes: int = 0,
    stderr: bytes = b"",
    answer: Answer | None = None,
    assertions: Assertions | None = None,
) -> Run:
    """A run that went well, but for what is given."""
    return Run(
        end=end,
        exit_code=exit_code if end is End.EXITED else None,
        signal=signal,
        cpu_time_s=cpu_time_s,
        wall_time_s=2 * cpu_time_s,
        memory_bytes=memory_bytes,
        stdout=stdout,
        stderr=stderr,
        answer=answer,
        assertions=assertions,
    )
