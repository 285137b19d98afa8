"""Where programs can write, checked rather than assumed.

crun mounts /sys/fs/cgroup of the first cgroup version as a tmpfs that all may write to: what
one program puts there, the next one would find.
"""

import os
import stat


def shut(writable: tuple[str, ...]) -> None:
    """Take the right to write to a mounted folder from all but root, except for these.

    Raises OSError when a folder can't be shut.
    """
    with open("/proc/self/mounts", "rb") as file:
        mounts = [os.fsdecode(line.split()[1]) for line in file]
    for path in mounts:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue  # covered by another mount, or not ours to look at: nor a program's
        if path in writable or not stat.S_ISDIR(mode) or not mode & 0o022:
            continue
        if not os.statvfs(path).f_flag & os.ST_RDONLY:
            os.chmod(path, stat.S_IMODE(mode) & ~0o022)
