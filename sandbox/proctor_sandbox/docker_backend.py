"""Sandboxes that are Docker containers. No exception of the docker package leaves this module."""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from proctor_sandbox.artefacts import Artefacts
from proctor_sandbox.channel import AgentSandbox
from proctor_sandbox.docker_transport import ContainerTransport, close_stream, words
from proctor_sandbox.errors import SandboxLost, SandboxUnavailable
from proctor_sandbox.languages import FAMILIES, RUNNABLE, Language, tools
from proctor_sandbox.launch import (
    NUMERIC,
    PRELOAD,
    UIDS,
    AgentConfig,
    Ceiling,
    agent_hash,
    uid_base,
)
from proctor_sandbox.owner import Owner
from proctor_sandbox.seam import Sandbox, SandboxInfo

OWNER_LABEL = "proctor.owner"
IMAGE_LABEL = "proctor.image"
AGENT_LABEL = "proctor.agent"
VERSIONS_LABEL = "proctor.versions"

# Those that `make images` makes, by family.
IMAGES = {family: f"proctor-{family}" for family in FAMILIES}

SECCOMP_PROFILE = Path(__file__).parent / "seccomp.json"

# An engine call that takes longer has hung: container starts are below 2 s on a busy machine.
_ENGINE_TIMEOUT_S = 60
# A container that stopped this long ago is waited for by nobody, whoever its owner was.
_ABANDONED_AFTER_S = 60.0
# Runtimes with a kernel of their own do not show the container its memory cgroup.
_OWN_KERNEL = ("runsc", "kata")


@dataclass(frozen=True, slots=True)
class DockerOptions:
    """How containers are started. `runtime` None is the engine's default."""

    images: Mapping[str, str] = field(default_factory=lambda: IMAGES)
    runtime: str | None = None
    ceiling: Ceiling = field(default_factory=Ceiling)


class DockerBackend:
    """Starts containers on the engine that the environment names (DOCKER_HOST, ...)."""

    name = "docker"

    def __init__(self, options: DockerOptions | None = None) -> None:
        """Raises SandboxUnavailable when no engine answers."""
        self._options = options or DockerOptions()
        self._owner = str(Owner.current())
        self._artefacts = Artefacts()
        self._seccomp = SECCOMP_PROFILE.read_text()
        self._checked: dict[str, str] = {}
        with _engine_faults("reach the Docker engine"):
            self._api = docker.APIClient(
                **docker.utils.kwargs_from_env(), version="auto", timeout=_ENGINE_TIMEOUT_S
            )
            engine = self._api.info()
        self._runtime = self._options.runtime or str(engine.get("DefaultRuntime", "runc"))
        self._cpus = min(self._options.ceiling.cpus, float(engine["NCPU"]))
        self._meter = f"cgroup{engine.get('CgroupVersion', '1')}"
        if self._runtime.startswith(_OWN_KERNEL):
            self._meter = "watch"
        security = " ".join(engine.get("SecurityOptions") or ())
        # With a user namespace the container has 65536 uids, and each namespace counts apart.
        self._uids_below = 60_000 if "userns" in security or "rootless" in security else 2**30
        self._labels = {image: self._look(ref) for image, ref in self._options.images.items()}

    def languages(self) -> dict[str, str]:
        """Every language and mode that an image here has, as this backend was made: all of its
        family where the image does not say.

        Python is always among them: without its image a start says what to do.
        """
        return {name: language.image for name, language in RUNNABLE.items() if self._has(language)}

    def _has(self, language: Language) -> bool:
        labels = self._labels.get(language.image)
        if language.image == "python" or labels is None:
            return language.image == "python"
        return VERSIONS_LABEL not in labels or tools(language).name in json.loads(
            labels[VERSIONS_LABEL]
        )

    def versions(self) -> dict[str, str]:
        """What scripts/build-images found and wrote on the images; other images tell nothing."""
        found: dict[str, str] = {}
        for labels in self._labels.values():
            found |= json.loads((labels or {}).get(VERSIONS_LABEL, "{}"))
        return found

    def start(self, image: str) -> Sandbox:
        """Start a container of an image family. Raises SandboxUnavailable."""
        try:
            return self._start(image, self._checked_image(image))
        except SandboxUnavailable:
            self._checked.pop(image, None)  # it may have been removed: look for it anew
            raise

    def _start(self, image: str, reference: str) -> Sandbox:
        name = f"proctor-{image}-{secrets.token_hex(6)}"
        with _engine_faults(f"start a container of {reference}"), contextlib.ExitStack() as undo:
            container = self._create(name, image, reference)
            undo.callback(self._api.remove_container, container, force=True, v=True)
            stream = self._api.attach_socket(
                container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
            undo.callback(close_stream, stream)
            self._api.start(container)
            undo.pop_all()
        transport = ContainerTransport(
            self._api, container, stream, self._options.ceiling.memory_bytes
        )
        info = SandboxInfo("docker", image, name, self._runtime, self._meter)
        try:
            return AgentSandbox(transport, info, self._artefacts)
        except SandboxLost as error:
            transport.close()
            raise SandboxUnavailable(f"the agent in {name} did not come up: {error}") from error

    def reap(self) -> int:
        """Remove containers of owners that are gone; returns how many were removed."""
        removed = 0
        with _engine_faults("list containers"):
            listed = self._api.containers(all=True, filters={"label": OWNER_LABEL})
            for entry in listed:
                if self._is_abandoned(entry):
                    with contextlib.suppress(NotFound):
                        self._api.remove_container(entry["Id"], force=True, v=True)
                        removed += 1
        return removed

    def _is_abandoned(self, entry: Mapping[str, Any]) -> bool:
        owner = Owner.parse(entry["Labels"][OWNER_LABEL])
        gone = owner.is_gone() if owner is not None else None
        if gone is not None:
            return gone
        # The owner ran elsewhere: in a container since replaced, say. Its containers stop by
        # themselves when their stdin closes, so a running one has a living owner.
        if entry["State"] == "running":
            return False
        try:
            state = self._api.inspect_container(entry["Id"])
        except NotFound:
            return False
        stopped = state["State"]["FinishedAt"]
        if stopped.startswith("0001-"):  # never started
            stopped = state["Created"]
        when = datetime.fromisoformat(stopped[:19]).replace(tzinfo=UTC)
        return time.time() - when.timestamp() > _ABANDONED_AFTER_S

    def _look(self, reference: str) -> dict[str, str] | None:
        """An image's labels; None where there is no such image. Raises SandboxUnavailable."""
        with _engine_faults(f"inspect the image {reference}"):
            try:
                found = self._api.inspect_image(reference)
            except ImageNotFound:
                return None
        return found["Config"]["Labels"] or {}

    def _checked_image(self, image: str) -> str:
        """The id of an image that holds this very agent: one that was found good stays in use
        when its tag moves to a newer one under a running worker."""
        if image in self._checked:
            return self._checked[image]
        reference = self._options.images.get(image)
        if reference is None:
            raise SandboxUnavailable(f"no Docker image is configured for {image} programs")
        with _engine_faults(f"inspect the image {reference}"):
            try:
                found = self._api.inspect_image(reference)
            except ImageNotFound:
                raise SandboxUnavailable(
                    f"the Docker image {reference} does not exist; make it with: make images"
                ) from None
        if (found["Config"]["Labels"] or {}).get(AGENT_LABEL) != agent_hash():
            raise SandboxUnavailable(
                f"the Docker image {reference} holds another version of the agent; "
                "make it again with: make images"
            )
        self._checked[image] = str(found["Id"])
        return self._checked[image]

    def _create(self, name: str, image: str, reference: str) -> str:
        ceiling = self._options.ceiling
        config = AgentConfig(
            uid_base=uid_base(self._uids_below),
            uids=UIDS,
            python="/usr/bin/python3" if image == "python" else None,
            site=["/opt/site"] if image == "python" else [],
            preload=list(PRELOAD) if image == "python" else [],
            numeric=list(NUMERIC) if image == "python" else [],
            tester=image == "python",
        )
        host_config = self._api.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            cap_add=["SETUID", "SETGID", "KILL"],
            security_opt=["no-new-privileges:true", f"seccomp={self._seccomp}"],
            pids_limit=ceiling.processes,
            mem_limit=ceiling.memory_bytes,
            memswap_limit=ceiling.memory_bytes,
            nano_cpus=int(self._cpus * 1e9),
            cpuset_cpus=None if ceiling.core is None else str(ceiling.core),
            tmpfs=_tmpfs(ceiling),
            # "none": /dev/shm is ours to mount, with a bound on its inodes too.
            ipc_mode="none",
            cgroupns="private",
            ulimits=[
                docker.types.Ulimit(name="core", soft=0, hard=0),
                docker.types.Ulimit(name="nofile", soft=1024, hard=4096),
            ],
            # Container logs are unbounded, and hold what programs print.
            log_config=docker.types.LogConfig(type="none"),
            # When the whole machine runs out of memory, a sandbox goes before a service.
            oom_score_adj=500,
            runtime=self._options.runtime,
        )
        created = self._api.create_container(
            reference,
            config.argv("/usr/bin/python3"),
            name=name,
            hostname="sandbox",
            user="0",
            stdin_open=True,
            tty=False,
            environment={},
            working_dir="/",
            labels={OWNER_LABEL: self._owner, IMAGE_LABEL: image},
            host_config=host_config,
        )
        return str(created["Id"])


def _tmpfs(ceiling: Ceiling) -> dict[str, str]:
    sizes = {
        "/box": (ceiling.box_bytes, "mode=0755,exec"),
        "/tmp": (ceiling.tmp_bytes, "mode=1777,exec"),  # noqa: S108 - inside the container
        "/dev/shm": (ceiling.shm_bytes, "mode=1777,noexec"),  # noqa: S108 - the same
        # POSIX message queues can be made as files here, whatever seccomp says to mq_open.
        "/dev/mqueue": (4096, "ro,mode=0555,noexec"),
    }
    return {
        path: f"size={size},nr_inodes={ceiling.inodes},nosuid,nodev,{options}"
        for path, (size, options) in sizes.items()
    }


@contextlib.contextmanager
def _engine_faults(doing: str) -> Iterator[None]:
    """Turn what docker and requests raise into SandboxUnavailable with a remedy."""
    try:
        yield
    except (APIError, NotFound) as error:
        raise SandboxUnavailable(f"cannot {doing}: the engine says: {words(error)}") from error
    except (DockerException, RequestException) as error:
        raise SandboxUnavailable(
            f"cannot {doing}: {words(error)}; is it running, and may this user use it? "
            "(see: proctor doctor)"
        ) from error
