"""A program's files, and the proof that nothing of it stays.

    <box>/src    the source and the files beside it: ours, readable, not writable
    <box>/made   what a compiler made of them: the same
    <box>/w/d    the working directory: the program's own, empty before every test
    <box>/in     inputs on their way to a test: unlinked before the test starts

Whatever lies in a directory of the program's is handled under the program's uid, so that a
link, a device or a permission bit of its making opens nothing that it couldn't open itself.
"""

import contextlib
import ctypes
import itertools
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator

# Every place a program can write to; images mount nothing else writable.
_SHARED = ("/tmp", "/dev/shm")  # noqa: S108 - these very folders, to empty them
_WORK_MODE = 0o755  # the agent looks into it, and has no right to override modes
_OPEN_MODE, _SHUT_MODE = 0o1777, 0o711  # of what the working directory is in
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_COLLECT_S = 5.0  # the kernel needs milliseconds
# A file is where another, or a folder, should be.
_TAKEN = (FileExistsError, NotADirectoryError)
# Of a compiler: a Scala program has some dozens of files, a few folders deep.
_MOST_MADE = 4096
_MOST_DEPTH = 16

_IPC_RMID = 0
_libc = ctypes.CDLL(None)
# System V IPC objects outlive their makers; each table of them, and what removes one.
_SYSV: dict[str, Callable[[int], object]] = {
    "/proc/sysvipc/shm": lambda number: _libc.shmctl(number, _IPC_RMID, None),
    "/proc/sysvipc/sem": lambda number: _libc.semctl(number, 0, _IPC_RMID),
    "/proc/sysvipc/msg": lambda number: _libc.msgctl(number, _IPC_RMID, None),
}


class Unclean(Exception):
    """Raised when something of a program is left and can't be removed."""


class TooLarge(Exception):
    """Raised when what a program left is larger than allowed, or no regular file."""


# A path below the folder that it is collected from, its content, and whether it is executable.
Collected = tuple[str, bytes, bool]


class Box:
    def __init__(self, root: str, change_uid: bool) -> None:
        """`change_uid` is False where there is one uid only, the agent's own."""
        self.sources = f"{root}/src"
        self.made = f"{root}/made"
        self.work = f"{root}/w/d"
        self._parent = f"{root}/w"
        self._inputs = f"{root}/in"
        self._change_uid = change_uid
        self._count = 0
        os.umask(0o022)
        for path, mode in (
            (self.sources, 0o755),
            (self.made, 0o755),
            (self._parent, _SHUT_MODE),
            (self._inputs, 0o700),
        ):
            os.mkdir(path, mode)
        # Files and folders, each after the folder that it is in.
        self._placed: list[str] = []
        self._root = root
        self._inodes = {place: _used_inodes(place) for place in (root, *_SHARED)}
        self._sysv = [
            (os.open(path, os.O_RDONLY | os.O_CLOEXEC), remove) for path, remove in _SYSV.items()
        ]

    @contextlib.contextmanager
    def acting_as(self, uid: int | None) -> Iterator[None]:
        """Touch files with the program's rights. It can't signal or trace us meanwhile:
        our real and saved uid stay what they are."""
        if not self._change_uid or uid is None:
            yield
            return
        os.setegid(uid)
        os.seteuid(uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)

    def open(self, uid: int | None, file: str, source: bytes, files: "dict[str, bytes]") -> str:
        """Lay a program out for a uid; returns its source's path.

        A file that can't be beside the source, or beside one before it, is left out.
        """
        with self._changing_work(uid):
            os.mkdir(self.work, _WORK_MODE)
        self._forget_times()
        path = self.place(self.sources, file, source, 0o444)
        for name, data in files.items():
            with contextlib.suppress(*_TAKEN):
                self.place(self.sources, name, data, 0o444)
        return path

    @contextlib.contextmanager
    def _changing_work(self, uid: int | None) -> Iterator[None]:
        """Let the program's uid make and remove its working directory; else it may only enter."""
        if self._change_uid:
            os.chmod(self._parent, _OPEN_MODE)
        with self.acting_as(uid):
            yield
        if self._change_uid:
            os.chmod(self._parent, _SHUT_MODE)

    def place(self, folder: str, name: str, data: bytes, mode: int) -> str:
        """Put a file where the program can read but not change it; returns its path."""
        for parent in _parents(folder, name):
            if parent not in self._placed:
                os.mkdir(parent, 0o755)
                self._placed.append(parent)
        path = f"{folder}/{name}"
        _create(path, data, mode)
        self._placed.append(path)
        return path

    def lay(self, uid: int | None, files: "dict[str, bytes]") -> None:
        """Put copies that are the program's own where it starts; as in `open`, first come first
        served."""
        with self.acting_as(uid):
            for name, data in files.items():
                for parent in _parents(self.work, name):
                    with contextlib.suppress(*_TAKEN):
                        os.mkdir(parent, 0o755)
                with contextlib.suppress(*_TAKEN):
                    _create(f"{self.work}/{name}", data, 0o644)

    def collect(self, uid: int | None, name: str, limit_bytes: int) -> bytes:
        """Read a file that the program's uid made in its working directory.

        Raises FileNotFoundError, or TooLarge.
        """
        with self.acting_as(uid):
            try:
                fd = os.open(
                    f"{self.work}/{name}",
                    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                )
            except (FileNotFoundError, NotADirectoryError):
                raise FileNotFoundError(name) from None
            except OSError as error:
                raise TooLarge(str(error)) from None
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise TooLarge("it is no regular file")
            if status.st_size > limit_bytes:
                raise TooLarge(f"{status.st_size} bytes")
            with open(fd, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(fd)

    def collect_all(self, uid: int | None, name: str, limit_bytes: int) -> "list[Collected]":
        """Read what a compiler made under this name: one file, or a folder of them.

        Raises FileNotFoundError when there is nothing, or TooLarge.
        """
        with self.acting_as(uid):
            found = list(itertools.islice(_files_below(self.work, name), _MOST_MADE + 1))
        if not found:
            raise FileNotFoundError(name)
        if len(found) > _MOST_MADE:
            raise TooLarge(f"more than {_MOST_MADE} files")
        collected = []
        for path, mode in found:
            data = self.collect(uid, path, limit_bytes)
            limit_bytes -= len(data)
            collected.append((path, data, bool(mode & 0o111)))
        return collected

    def input(self, data: bytes) -> int:
        """A descriptor to read these bytes from; the file has no name any more.

        World-readable, or the program could not open /dev/stdin; never writable.
        """
        if not data:
            return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self._count += 1
        path = f"{self._inputs}/{self._count}"
        try:
            _create(path, data, 0o444)
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.unlink(path)

    def wipe(self, uid: int | None) -> None:
        """Remove what a test left behind. Nothing of the uid may be alive.

        Raises Unclean when something stays.
        """
        if not self._is_clean():
            self._remove(uid)

    def renew(self, uid: int | None) -> None:
        """Make the wiped directories as the program's first test found them: a time, a mode or
        an attribute would remember as well as a file. Raises Unclean."""
        try:
            with self._changing_work(uid):
                os.rmdir(self.work)
                os.mkdir(self.work, _WORK_MODE)
            self._forget_times()
        except OSError as error:
            raise Unclean(f"directories can't be renewed: {error.strerror}") from None

    def _forget_times(self) -> None:
        for place in _SHARED:
            os.utime(place, (0, 0))

    def _remove(self, uid: int | None) -> None:
        """Remove files and IPC objects with the program's rights. Raises Unclean."""
        with self.acting_as(uid):
            try:
                os.chmod(self.work, _WORK_MODE)
                for place in (self.work, *_SHARED):
                    if os.listdir(place):
                        _empty(place)
            except OSError as error:
                # Not the whole error: a file's name is the program's to choose.
                raise Unclean(f"files can't be removed: {error.strerror}") from None
            for fd, remove in self._sysv:
                for line in os.pread(fd, 65536, 0).splitlines()[1:]:
                    remove(int(line.split()[1]))
        deadline = time.monotonic() + _COLLECT_S
        while not self._is_clean():
            if time.monotonic() > deadline:
                raise Unclean("files or System V IPC objects are left")
            # Files sent into a ring of sockets are kept by nothing else: the kernel looks for
            # such rings when a socket is closed.
            for end in socket.socketpair():
                end.close()
            time.sleep(0.001)

    def _is_clean(self) -> bool:
        """Whether nothing is where a program can leave things."""
        try:
            if any(map(os.listdir, (self.work, *_SHARED))):
                return False
        except PermissionError:
            return False  # the program closed its directory
        # Files without a name, which something still holds, are seen by their inodes.
        used = {place: _used_inodes(place) for place in _SHARED}
        if self._change_uid:  # else a program may add to our own files, until `close`
            used[self._root] = _used_inodes(self._root) - len(self._placed) - 1
        if any(self._inodes[place] != count for place, count in used.items()):
            return False
        # Each table is one line, its heading, when there is nothing in it.
        return all(os.pread(fd, 4096, 0).count(b"\n") <= 1 for fd, _ in self._sysv)

    def close(self, uid: int | None) -> None:
        """Forget the program, wiped after its last test. Raises Unclean when something stays."""
        try:
            with self._changing_work(uid):
                os.rmdir(self.work)
            if self._change_uid:
                for path in reversed(self._placed):
                    (os.rmdir if os.path.isdir(path) else os.unlink)(path)
            else:  # the program could add to them
                _empty(self.sources)
                _empty(self.made)
        except OSError as error:
            raise Unclean(f"files can't be removed: {error.strerror}") from None
        self._placed.clear()


def _used_inodes(place: str) -> int:
    status = os.statvfs(place)
    return status.f_files - status.f_ffree


def _parents(folder: str, name: str) -> Iterator[str]:
    """The folders that a path has below another folder, outermost first."""
    parts = name.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        yield "/".join([folder, *parts[:depth]])


def _files_below(folder: str, name: str, depth: int = 0) -> Iterator[tuple[str, int]]:
    """The path and mode of all that is no folder in what has this name; links are not followed.

    Raises TooLarge for folders in folders that no compiler makes.
    """
    path = f"{folder}/{name}"
    try:
        mode = os.lstat(path).st_mode
        inside = os.listdir(path) if stat.S_ISDIR(mode) else None
    except OSError:
        return
    if inside is None:
        yield name, mode
        return
    if depth > _MOST_DEPTH:
        raise TooLarge(f"folders are more than {_MOST_DEPTH} deep")
    for one in sorted(inside):
        yield from _files_below(folder, f"{name}/{one}", depth + 1)


def _create(path: str, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        _write_all(fd, data)
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _empty(place: str) -> None:
    """Remove all that lies below a directory, however deep and whatever its permissions.

    A directory inside another is moved to the top first, so that depth costs nothing.
    """
    top = os.open(place, _DIRECTORY)
    token = os.urandom(8).hex()
    serial = 0
    try:
        while names := os.listdir(top):
            for name in names:
                if not _is_directory(name, top):
                    os.unlink(name, dir_fd=top)
                    continue
                os.chmod(name, 0o700, dir_fd=top)
                inner = os.open(name, _DIRECTORY, dir_fd=top)
                try:
                    for below in os.listdir(inner):
                        if not _is_directory(below, inner):
                            os.unlink(below, dir_fd=inner)
                            continue
                        serial += 1
                        os.chmod(below, 0o700, dir_fd=inner)
                        moved = f"{token}.{serial}"
                        os.rename(below, moved, src_dir_fd=inner, dst_dir_fd=top)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def _is_directory(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
