"""Where attacks are let loose: one warm sandbox of each image family, used by all in turn."""

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import docker
import psutil

from proctor_sandbox.docker_backend import OWNER_LABEL
from proctor_sandbox.errors import SandboxLost
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.owner import Owner
from proctor_sandbox.programs import End, Program, Report, StdinCase, Work
from proctor_sandbox.seam import Backend, Sandbox
from tests.adversarial.outside import Outside

# Reports, and what malloc keeps of a 10 MB input on its way out.
_WORKER_GROWTH_BYTES = 96 * MIB

_HONEST = {
    "python": Program("python", "print(input()[::-1])"),
    "native": Program(
        "c",
        "#include <stdio.h>\n"
        "int main(void) {\n"
        "    char word[8];\n"
        '    scanf("%7s", word);\n'
        "    for (int i = 5; i--;) putchar(word[i]);\n"
        '    puts("");\n'
        "}\n",
    ),
}


@dataclass(frozen=True, slots=True)
class _Held:
    sandbox: Sandbox
    # None without root, who alone can look.
    outside: Outside | None


class Arena:
    """The sandboxes of one backend."""

    def __init__(
        self, kind: str, backend: Backend, engine: docker.DockerClient | None, scratch: Path
    ) -> None:
        """`engine` is Docker's, where the backend is; `scratch` is made the place of this
        process's temporary files, so that what is left there is known to be ours."""
        self.kind = kind
        self._backend = backend
        self._engine = engine
        self._held: dict[str, _Held] = {}
        self._scratch = scratch
        self._tempdir = tempfile.tempdir
        tempfile.tempdir = str(scratch)
        self._before = self._containers()
        self._memory_bytes = psutil.Process().memory_info().rss

    def has(self, language: str) -> bool:
        return language in self._backend.languages()

    def run(self, image: str, works: Iterable[Work]) -> list[Report]:
        """Run programs in the sandbox of an image family. Raises SandboxLost."""
        return list(self._hold(image).sandbox.execute(works))

    def crew(self, image: str) -> frozenset[int]:
        """The agent and zygotes of a sandbox; nothing where nobody can look."""
        outside = self._hold(image).outside
        return outside.crew if outside else frozenset()

    def replace(self, image: str) -> None:
        """End a sandbox; the next program gets another."""
        held = self._held.pop(image, None)
        if held is not None:
            held.sandbox.close()

    def is_well(self, image: str) -> bool:
        """Whether an honest program gets what it deserves."""
        limits = Limits()
        honest = Work(_HONEST[image], (StdinCase(b"drawe\n"),), limits)
        (report,) = self.run(image, [honest])
        (one,) = report.runs
        return (one.end, one.exit_code, one.stdout) == (End.EXITED, 0, b"eward\n")

    def left(self, image: str) -> list[str]:
        """What the last program left, in the sandbox and around it, in words."""
        outside = self._hold(image).outside
        found = outside.left() if outside else []
        ours = {held.sandbox.info.name for held in self._held.values()}
        found += [f"container: {name}" for name in self._containers() - self._before - ours]
        found += [f"temporary file: {path}" for path in self._scratch.iterdir()]
        growth_bytes = psutil.Process().memory_info().rss - self._memory_bytes
        if growth_bytes > _WORKER_GROWTH_BYTES:
            found.append(f"the worker has grown by {growth_bytes // MIB} MiB")
        return found

    def close(self) -> None:
        """End every sandbox. Raises AssertionError when something stays."""
        for image in list(self._held):
            self.replace(image)
        tempfile.tempdir = self._tempdir
        assert not self._containers() - self._before, "containers are left"

    def _hold(self, image: str) -> _Held:
        if image not in self._held:
            sandbox = self._backend.start(image)
            self._held[image] = _Held(sandbox, None)
            # Its first program makes what every later one finds made.
            if not self.is_well(image):
                raise SandboxLost("a fresh sandbox does not run an honest program")
            if os.geteuid() == 0:
                self._held[image] = _Held(sandbox, Outside(self._init(sandbox)))
        return self._held[image]

    def _init(self, sandbox: Sandbox) -> int:
        """The host's pid of a sandbox's first process."""
        if self._engine is None:
            return int(sandbox.info.name.rpartition("-")[2])
        container = self._engine.api.inspect_container(sandbox.info.name)
        assert container["Mounts"] == [], "a sandbox has no volume"
        return int(container["State"]["Pid"])

    def _containers(self) -> set[str]:
        """The names of this process's containers."""
        if self._engine is None:
            return set()
        mine = {"label": f"{OWNER_LABEL}={Owner.current()}"}
        listed = self._engine.api.containers(all=True, filters=mine)
        return {entry["Names"][0].removeprefix("/") for entry in listed}
