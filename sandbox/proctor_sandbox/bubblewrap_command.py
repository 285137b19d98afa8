"""bubblewrap's command line: what a sandbox of its making sees of the machine."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from proctor_sandbox.launch import AGENT_FOLDER, AGENT_HOME, Ceiling

# A folder of links to packages, as /opt/site is in the Docker image.
SITE = "/opt/site"

PATH = "/usr/local/bin:/usr/bin:/bin"

_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone")
# Of compilers and interpreters, which their packages keep outside of /usr.
_TOOLS = (
    *("/etc/R", "/etc/fpc.cfg", "/etc/ghc", "/etc/java-17-openjdk", "/etc/mono", "/etc/perl"),
    *("/etc/php", "/etc/racket", "/var/lib/ghc"),
)
_PROC_OF_THE_MACHINE = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus")
# Users of the host are nobody's business inside.
PASSWD = b"root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
GROUP = b"root:x:0:\nnogroup:x:65534:\n"


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Open files that bubblewrap reads from, and one (`info`) that it writes to."""

    seccomp: int
    passwd: int
    group: int
    info: int

    def numbers(self) -> tuple[int, ...]:
        return (self.seccomp, self.passwd, self.group, self.info)


def interpreter() -> Path:
    """The Python that Proctor runs on, without its virtual environment."""
    return Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))


def command(
    bwrap: str,
    *,
    privileged: bool,
    ceiling: Ceiling,
    packages: Mapping[str, Path],
    cgroup: Mapping[Path, str],
    descriptors: Descriptors,
    agent: list[str],
) -> list[str]:
    """The whole argv. `packages` and `cgroup` map what is bound to where it is seen."""
    return [
        bwrap,
        *_isolation(privileged),
        *_folders("/etc", "/var/lib", f"{AGENT_HOME}/agent", SITE, sys.base_prefix),
        *_system(),
        *("--perms", "0444", "--ro-bind-data", str(descriptors.passwd), "/etc/passwd"),
        *("--perms", "0444", "--ro-bind-data", str(descriptors.group), "/etc/group"),
        *("--ro-bind", str(AGENT_FOLDER), f"{AGENT_HOME}/agent"),
        *_flat(("--ro-bind", str(path), f"{SITE}/{name}") for name, path in packages.items()),
        *_flat(("--ro-bind", str(path), seen) for path, seen in cgroup.items()),
        *("--proc", "/proc", "--dev", "/dev"),
        # bubblewrap makes these read-only only as far as it thinks needed; they are the machine's.
        *_flat(("--ro-bind-try", path, path) for path in _PROC_OF_THE_MACHINE),
        *_tmpfs("/box", ceiling.box_bytes, "0755"),
        *_tmpfs("/tmp", ceiling.tmp_bytes, "1777"),  # noqa: S108 - inside the sandbox
        *_tmpfs("/dev/shm", ceiling.shm_bytes, "1777"),  # noqa: S108 - the same
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--seccomp", str(descriptors.seccomp), "--info-fd", str(descriptors.info)),
        "--",
        *agent,
    ]


def _isolation(privileged: bool) -> list[str]:
    options = [
        *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"),
        *("--as-pid-1", "--die-with-parent", "--new-session", "--hostname", "sandbox"),
        *("--clearenv", "--setenv", "PATH", PATH, "--chdir", "/"),
        *("--cap-drop", "ALL"),
    ]
    if privileged:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_KILL"):
            options += ("--cap-add", capability)
    else:
        options += ("--unshare-user", "--uid", "1000", "--gid", "1000")
    return options


def _folders(*paths: str) -> Iterator[str]:
    """Folders that every uid may enter; bubblewrap's own parents of a mount are root's alone."""
    parents = {parent for path in paths for parent in (Path(path), *Path(path).parents)}
    for parent in sorted(parents)[1:]:
        if not parent.is_relative_to("/usr"):
            yield from ("--perms", "0755", "--dir", str(parent))


def _system() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(name):
            yield from ("--symlink", os.readlink(name), name)
        elif os.path.isdir(name):
            yield from ("--ro-bind", name, name)
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for path in _TOOLS:
        yield from ("--ro-bind-try", path, path)
    prefix = Path(sys.base_prefix).resolve()
    if not prefix.is_relative_to("/usr"):
        yield from ("--ro-bind", str(prefix), str(prefix))
    for folder in _installed_packages(prefix):
        yield from ("--tmpfs", str(folder), "--remount-ro", str(folder))


def _installed_packages(prefix: Path) -> list[Path]:
    """Where packages lie that the machine's owner installed; covered by an empty folder."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = {
        root / "lib" / python / kind
        for root in (prefix, Path("/usr"), Path("/usr/local"))
        for python in (version, "python3")
        for kind in ("site-packages", "dist-packages")
    }
    return sorted(folder for folder in folders if folder.is_dir())


def _tmpfs(path: str, size: int, mode: str) -> list[str]:
    return ["--perms", mode, "--size", str(size), "--tmpfs", path]


def _flat(groups: Iterator[tuple[str, ...]]) -> Iterator[str]:
    for group in groups:
        yield from group
