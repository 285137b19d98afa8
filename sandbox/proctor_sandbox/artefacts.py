"""What compilers made, kept on the host by what it was made from.

Equal programs of many submissions are compiled once in each worker. Nothing of it stays in a
sandbox, where it would be in reach of programs and count as their memory.
"""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from proctor_sandbox.languages import Language
from proctor_sandbox.limits import MIB
from proctor_sandbox.programs import Program, Run

# Some thousand contest programs in C++; 30 or so in Go, whose binaries hold their runtime.
_ROOM_BYTES = 64 * MIB
_LARGEST_BYTES = 8 * MIB


@dataclass(frozen=True, slots=True)
class Artefact:
    """Files by path, each with whether it is executable, and how their compiler did."""

    files: tuple[tuple[str, bytes, bool], ...]
    compilation: Run

    @property
    def size_bytes(self) -> int:
        """About how much memory the files take, at 1 KiB for the objects of each."""
        return sum(1024 + len(data) for _, data, _ in self.files)


class Artefacts:
    """The artefacts used last, up to a number of bytes. Thread-safe."""

    def __init__(self, room_bytes: int = _ROOM_BYTES) -> None:
        self._room_bytes = room_bytes
        self._known: OrderedDict[bytes, Artefact] = OrderedDict()
        self._used_bytes = 0
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Artefact | None:
        """The artefact kept under a key, None where there is none."""
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
            return found

    def put(self, key: bytes, artefact: Artefact) -> None:
        """Keep an artefact, unless it is large; those not used for longest make room."""
        if artefact.size_bytes > _LARGEST_BYTES:
            return
        with self._lock:
            before = self._known.pop(key, None)
            self._used_bytes += artefact.size_bytes - (before.size_bytes if before else 0)
            self._known[key] = artefact
            while self._used_bytes > self._room_bytes:
                _, dropped = self._known.popitem(last=False)
                self._used_bytes -= dropped.size_bytes


def artefact_key(language: Language, program: Program) -> bytes:
    """SHA-256 of all that decides what a compiler makes."""
    digest = hashlib.sha256()
    parts = [part.encode() for part in (*language.compile, *map("=".join, language.env), "")]
    parts.append(program.source.encode("utf-8", "surrogatepass"))
    for name, data in program.files.items():
        parts += (name.encode("utf-8", "surrogatepass"), data)
    for part in parts:
        digest.update(b"%d " % len(part))
        digest.update(part)
    return digest.digest()
