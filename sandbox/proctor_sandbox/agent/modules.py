"""The program's modules, asked from outside: a project's side of the boundary under its own uid.

Beside what a `Desk` does, a target may be a module's name. An exception's class crosses as the
names of its bases, `module.name` where it is no built-in one, and for each of them the places of
its own bases, so that the examiner can tell `except` clauses apart.
"""

import importlib
import os
import sys
import types

from . import candidate, script
from .spec import Spec

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from typing import Any


def serve(spec: Spec, fds: list[int]) -> None:
    """Answer an examiner's requests until it hangs up. Nothing of the program runs before the
    first of them."""
    script.leave(script.guarded(_serve, spec, fds))


def _serve(spec: Spec, fds: list[int]) -> None:
    (channel,) = fds
    sys.argv = [spec.path]
    sys.path.insert(0, os.path.dirname(spec.path))
    candidate.converse(ModuleDesk({}), channel)


class ModuleDesk(candidate.Desk):
    """Looks names up in the program's modules, which are imported when first asked for."""

    def _find(self, target: int | str) -> object:
        return importlib.import_module(target) if isinstance(target, str) else super()._find(target)

    def _get(self, target: object, args: "list[Any]", kwargs: object) -> object:
        """An attribute; of a package, as `from package import name` has it, a module too."""
        try:
            return super()._get(target, args, kwargs)
        except AttributeError:
            if not isinstance(target, types.ModuleType):
                raise
            name = f"{target.__name__}.{args[0]}"
            try:
                return importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name not in (name, target.__name__):
                    raise
            raise

    def _kind(self, kind: type) -> "tuple[Any, ...]":
        lineage = kind.__mro__
        names = [_full_name(base) for base in lineage]
        return names, [[lineage.index(base) for base in one.__bases__] for one in lineage]

    def _lineage(self, target: object, _args: object, _kwargs: object) -> "tuple[Any, ...] | None":
        """How a class crosses if it is an exception's; else None."""
        if isinstance(target, type) and issubclass(target, Exception):
            return self._kind(target)
        return None


def _full_name(kind: type) -> str:
    if kind.__module__ == "builtins":
        return kind.__name__
    return f"{kind.__module__}.{kind.__name__}"
