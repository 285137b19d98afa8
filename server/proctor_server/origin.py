"""Origin: where a worker runs, told by its name, so that a death can be seen from next door."""

import os
import re
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"(?P<place>.+)\.(?P<pid>\d+)\.[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Origin:
    """A process, and the only place from which its pid can be looked up."""

    place: str
    pid: int

    @classmethod
    def here(cls) -> "Origin":
        """This process. Containers may share a host name, but not a pid namespace and a boot."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        return cls(f"{socket.gethostname()}.{boot}.{namespace}", os.getpid())

    @classmethod
    def of(cls, worker_name: str) -> "Origin | None":
        """Where a worker runs; None for a name that is not ours."""
        found = _NAME.fullmatch(worker_name)
        return None if found is None else cls(found["place"], int(found["pid"]))

    def worker_name(self) -> str:
        """A name for a worker of this process, never used before."""
        return f"{self.place}.{self.pid}.{uuid.uuid4().hex[:6]}"

    def is_dead(self) -> bool:
        """Whether the process is known to be gone; False where that can't be seen from here."""
        if self.place != Origin.here().place:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False
