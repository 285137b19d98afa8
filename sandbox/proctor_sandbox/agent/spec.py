"""What a fork of a zygote is to become; the agent fills it in, the fork reads it."""

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from typing import Any


class Spec:
    """One process to be. It crosses to the zygote as the tuple of its constructor's arguments:
    names would be looked up, and each of those touches a page that the fork must copy."""

    __slots__ = (  # noqa: RUF023 - in the constructor's order
        "mode",
        "uid",
        "cwd",
        "rlimits",
        "argv",
        "env",
        "path",
        "compiled",
        "keep",
        "prepared",
        "entry_point",
    )

    def __init__(
        self,
        mode: str,
        uid: int | None,
        cwd: str,
        rlimits: tuple[tuple[int, int, int], ...],
        argv: tuple[str, ...] = (),
        env: tuple[tuple[str, str], ...] = (),
        path: str = "",
        compiled: bool = False,
        keep: bool = False,
        prepared: bool = False,
        entry_point: str | None = None,
    ) -> None:
        """`uid` None keeps the agent's own; `rlimits` are (resource, soft, hard).

        `argv` and `env`, which adds to the environment, are the "exec" mode's; of a Python script
        `argv` is what follows its name. `path` is what is executed, or a Python program; `compiled`
        (the code comes along) and `keep` (send the code back) are those of Python programs;
        `prepared` and `entry_point` an examiner's.
        """
        self.mode = mode
        self.uid = uid
        self.cwd = cwd
        self.rlimits = rlimits
        self.argv = argv
        self.env = env
        self.path = path
        self.compiled = compiled
        self.keep = keep
        self.prepared = prepared
        self.entry_point = entry_point

    def fields(self) -> "tuple[Any, ...]":
        """The constructor's arguments, for another process to make it again."""
        return tuple(getattr(self, name) for name in self.__slots__)
