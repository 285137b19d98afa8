"""A machine that is busy with something else."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

# Ends by itself when its parent does, however that ends.
_LOOP = (
    "import os\nparent = os.getppid()\nprint(flush=True)\nwhile os.getppid() == parent:\n    pass\n"
)


@contextlib.contextmanager
def busy_loops(per_core: int) -> Iterator[None]:
    """Keep every core busy with so many loops, all of them under way."""
    argv = [sys.executable, "-c", _LOOP]
    with contextlib.ExitStack() as stack:
        loops = []
        for core in sorted(os.sched_getaffinity(0)) * per_core:
            loop = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE))
            stack.callback(loop.kill)
            os.sched_setaffinity(loop.pid, {core})
            loops.append(loop)
        for loop in loops:
            assert loop.stdout is not None
            loop.stdout.readline()
        yield
