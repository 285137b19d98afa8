"""What Piston's /execute takes."""

from pydantic import Field

from proctor_server.api.compat.peer import Posted


class File(Posted):
    """A file of a request."""

    name: str | None = None
    content: str
    encoding: str = "utf8"


class Execute(Posted):
    """What /execute takes: milliseconds of wall-clock and of CPU time, bytes."""

    language: str = Field(min_length=1)
    version: str = Field(min_length=1)
    files: list[File]
    stdin: str | None = None
    args: list[str] | None = None
    compile_timeout: float | None = None
    run_timeout: float | None = None
    run_cpu_time: float | None = None
    run_memory_limit: float | None = None
    # Taken and checked; the compiler's own limits are the server's, but for its wall-clock time.
    compile_cpu_time: float | None = None
    compile_memory_limit: float | None = None
