"""How an agent is started, the same in every kind of sandbox, and what it may use as a whole."""

import hashlib
import json
import random
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from proctor_sandbox.limits import MIB

AGENT_FOLDER = Path(__file__).parent / "agent"
# Where the agent's package lies inside a sandbox.
AGENT_HOME = "/opt/proctor"

_START = "import sys; sys.path.insert(0, '/opt/proctor'); from agent.main import main; main()"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a whole sandbox may use; a program's own limits are set by the agent, below these.

    Sizes in bytes. The memory limit follows the program that runs; this is the first one.
    """

    memory_bytes: int = 1024 * MIB
    # Agent, zygotes, examiner and the program's 64, with as much again for a compiler's.
    processes: int = 256
    # One for the program and one for the agent: a program with threads cannot take the host.
    cpus: float = 2.0
    # The core that all of it is kept on, None: any. On one core a fork's pages and caches stay
    # where they are: a batch of trivial programs took a tenth less (docs/performance.md).
    core: int | None = None
    # Sources, compiled programs and what a program writes; all of it is memory.
    box_bytes: int = 256 * MIB
    tmp_bytes: int = 64 * MIB
    shm_bytes: int = 64 * MIB
    # A file needs about 1 KiB of kernel memory; contest programs write a handful.
    inodes: int = 16384


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """The agent's only argument. With `uids` 0 it changes no uid, as an ordinary user must.

    `python` is the interpreter of the zygotes, None where no Python programs are run; `site`
    holds folders for the programs' module path, `preload` modules that zygotes import, and
    `numeric` those that a zygote of its own imports besides, for programs that speak of them.
    `tester` says that pytest is there, for which a zygote is started when it is first needed.
    """

    uid_base: int
    uids: int
    python: str | None
    site: list[str] = field(default_factory=list)
    preload: list[str] = field(default_factory=list)
    numeric: list[str] = field(default_factory=list)
    tester: bool = False
    box: str = "/box"

    def argv(self, interpreter: str) -> list[str]:
        """The agent's command line, run by the Python at this path."""
        return [interpreter, "-I", "-S", "-c", _START, json.dumps(asdict(self))]


# What contest and model-written programs import most.
PRELOAD = (
    "bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq",
    "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "typing",
)  # fmt: skip
# To import numpy takes a program 64 to 93 ms of CPU, from a zygote that has it 3 ms; but each
# fork of that zygote costs 0.5 ms more, so only programs that want it come from there.
NUMERIC = ("numpy", "numpy.random")

# Uids per sandbox: the agent goes on to the next for every program and starts over at the end.
UIDS = 1024


def uid_base(most: int = 2**30) -> int:
    """A first uid for a new sandbox, below `most`, that no other sandbox is likely to have.

    The kernel counts processes per uid over the whole machine (RLIMIT_NPROC), containers or
    not, so two sandboxes with the same uids would use up each other's limit.
    """
    return UIDS * random.SystemRandom().randrange(1, most // UIDS)


@cache
def agent_hash() -> str:
    """SHA-256 of the agent's sources, as hex: an image's agent must be this one."""
    digest = hashlib.sha256()
    for path in sorted(AGENT_FOLDER.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(AGENT_FOLDER)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


if __name__ == "__main__":
    # For the build script: python -m proctor_sandbox.launch
    print(agent_hash())
