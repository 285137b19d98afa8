"""What a fork of a zygote is to become; the agent fills it in, the fork reads it."""


class Spec:
    """One process to be. It crosses to the zygote as a dict of its slots."""

    __slots__ = (
        "argv",
        "compiled",
        "cpu_s",
        "cwd",
        "data_bytes",
        "entry_point",
        "keep",
        "mode",
        "path",
        "prepared",
        "processes",
        "uid",
    )

    def __init__(
        self,
        mode: str,
        uid: int | None,
        cwd: str,
        cpu_s: int,
        processes: int,
        data_bytes: int | None,
        *,
        argv: list[str] | None = None,
        path: str = "",
        compiled: bool = False,
        keep: bool = False,
        prepared: bool = False,
        entry_point: str | None = None,
    ) -> None:
        """`uid` None keeps the agent's own, `data_bytes` None sets no such limit.

        `argv` is the "exec" mode's. `path`, `compiled` (the code comes along) and `keep` (send
        the code back) are those of Python programs; `prepared` and `entry_point` an examiner's.
        """
        self.mode = mode
        self.uid = uid
        self.cwd = cwd
        self.cpu_s = cpu_s
        self.processes = processes
        self.data_bytes = data_bytes
        self.argv = argv or []
        self.path = path
        self.compiled = compiled
        self.keep = keep
        self.prepared = prepared
        self.entry_point = entry_point

    def fields(self) -> dict[str, object]:
        """The constructor's arguments, for another process to make it again."""
        return {name: getattr(self, name) for name in self.__slots__}
