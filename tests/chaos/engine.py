"""A Docker engine of the harness's own, which it may kill: nobody else's containers are in it."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import psutil
from docker.errors import DockerException
from requests.exceptions import RequestException

from tests.integration.stack import until

_IMAGES = ["proctor-python", "proctor-native"]


class Engine:
    """A dockerd with all it has in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self._process = self._start()

    def restart(self, how: signal.Signals) -> None:
        """End it by a signal, and start it again."""
        self._process.send_signal(how)
        self._process.wait()
        self._end_containerd()
        self._process = self._start()

    def load(self, tag: str) -> None:
        """Copy our images, as they are tagged in the engine that everybody uses."""
        images = [f"{image}:{tag}" for image in _IMAGES]
        argv = ["docker", "save", *images]
        environment = os.environ | {"DOCKER_HOST": self.address}
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as saving:
            subprocess.run(
                ["docker", "load", "--quiet"],
                stdin=saving.stdout,
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        for image in images:
            name = image.partition(":")[0]
            subprocess.run(["docker", "tag", image, name], env=environment, check=True)

    def close(self) -> None:
        """End it, and its containers; what it stored, the images, is removed."""
        self._process.terminate()
        self._process.wait()
        self._end_containerd()
        data = self._folder / "data"
        # Each dockerd that was killed has left its mount of it, and those of containers below.
        while data.is_mount():
            subprocess.run(["umount", "--recursive", "--lazy", str(data)], check=True)
        shutil.rmtree(data, ignore_errors=True)

    def _end_containerd(self) -> None:
        """It dies with dockerd, a little later: the next dockerd would take it for alive."""
        noted = self._folder / "exec" / "containerd" / "containerd.pid"
        if not noted.exists():
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            containerd = psutil.Process(int(noted.read_text()))
            containerd.kill()
            containerd.wait()
        noted.unlink()

    def _start(self) -> "subprocess.Popen[bytes]":
        folder = self._folder
        (folder / "pid").unlink(missing_ok=True)  # of one that was killed
        # It must not outlive us: nobody else would end it.
        argv = [
            "setpriv",
            "--pdeathsig",
            "TERM",
            "--",
            "dockerd",
            "--host",
            self.address,
            "--pidfile",
            str(folder / "pid"),
        ]
        argv += ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
        # Sandboxes have no network, and the machine's is not ours to change.
        argv += ["--bridge", "none", "--iptables=false", "--ip-masq=false"]
        with (folder / "dockerd.log").open("ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        until(lambda: self._answers(process), "dockerd to answer")
        return process

    def _answers(self, process: "subprocess.Popen[bytes]") -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"dockerd ended; see {self._folder}/dockerd.log")
        try:
            client = docker.APIClient(base_url=self.address, version="auto", timeout=5)
        except (DockerException, RequestException):
            time.sleep(0.1)
            return False
        client.close()
        return True


@contextlib.contextmanager
def own_engine(folder: Path, tag: str) -> Iterator[Engine]:
    """An engine with our images, which every docker client of this process talks to."""
    folder.mkdir(parents=True)
    engine = Engine(folder)
    before = os.environ.get("DOCKER_HOST")
    try:
        engine.load(tag)
        os.environ["DOCKER_HOST"] = engine.address
        yield engine
    finally:
        if before is None:
            os.environ.pop("DOCKER_HOST", None)
        else:
            os.environ["DOCKER_HOST"] = before
        engine.close()
