"""What test files get when they import the program's modules, which are in another process.

While tests are collected the program is not asked anything: what is taken from a stand-in is a
`Name` without a value, so that how many tests there are is a property of the test files alone.
Before the first test the program is there, and names are bound to what they stand for.
"""

import ast
import builtins
import importlib.machinery
import os
import sys
import types
from collections.abc import Iterable, Iterator, Sequence

from .handles import BadAnswer, Handle, NotAcross, Program, instance, is_name

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from typing import Any

# Of a class: more bases are no honest program's.
_MOST_BASES = 64


class NeedsProgram(Exception):
    """Raised when test files ask the program something while they are collected."""


class Project(Program):
    """The far side with its modules; classes of exceptions are made here as they are there."""

    def __init__(self, stream: "Any") -> None:
        super().__init__(stream)
        self._kinds: dict[tuple[str, tuple[type, ...]], type] = {}

    def _handle(self, number: int, type_name: str) -> object:
        handle = Handle(self, number, type_name)
        if type_name == "type" and (lineage := self.ask("lineage", number)):
            return self._kind(*lineage)
        return handle

    def _raised(  # type: ignore[override] # of a project the bases cross as well
        self, names: list[str], parents: list[list[int]], args: Sequence[object]
    ) -> Exception:
        return instance(self._kind(names, parents), args)

    def _kind(self, names: list[str], parents: list[list[int]]) -> type[Exception]:
        """The class of an exception, the same for the same names. Raises BadAnswer."""
        if len(names) > _MOST_BASES:
            raise BadAnswer("too many bases")
        made: dict[int, type] = {}
        for place in reversed(range(len(names))):
            origin, _, name = str.rpartition(names[place], ".")
            if not is_name(name):
                raise BadAnswer("no name of a class")
            bases = tuple(made[parent] for parent in parents[place])
            key = names[place], bases
            if not origin:
                self._kinds[key] = vars(builtins)[name]
            elif key not in self._kinds:
                self._kinds[key] = type(name, bases, {})
            made[place] = self._kinds[key]
            if not isinstance(made[place], type):
                raise BadAnswer("no class")
        kind = made[0]
        if not issubclass(kind, Exception) or issubclass(kind, StopIteration):
            raise BadAnswer("no exception")
        return kind


class World:
    """Where the program's modules are: `far` is None while tests are collected.

    With `lenient` the tests will have the program beside them: whatever is called or inherited
    from meanwhile is let pass.
    """

    def __init__(self, lenient: bool = False) -> None:
        self.far: Project | None = None
        self.lenient = lenient

    def take(self, module: str, name: str) -> object:
        """What a test file gets for an attribute of a module."""
        if self.far is None:
            return Name(self, module, [name])
        return self.far.ask("get", module, (name,))

    def bind(self, namespace: "dict[str, Any]") -> None:
        """Give names and modules that a file imported while it was collected their values.

        Raises what an import in the program raises; then the file's other names stay as they are.
        """
        for name, value in list(namespace.items()):
            if isinstance(value, Name):
                namespace[name] = value._value()
            elif isinstance(value, Module) and self.far is not None:
                self.far.ask("fetch", value.__name__)


class Module(types.ModuleType):
    """Stands for a module of the program; it can be read, not changed."""

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name)
        self.__world__ = world

    def __getattr__(self, name: str) -> object:
        if name == "__all__":
            raise NotAcross("`import *` needs the program's module in this process: name the names")
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__world__.take(self.__name__, name)

    def __setattr__(self, name: str, value: object) -> None:
        # The import system's own: a module's properties, and its submodules.
        if not name.startswith("__") and not isinstance(value, Module):
            raise NotAcross("to change it needs the program's module in this process")
        super().__setattr__(name, value)


class Name:
    """What was taken out of a module while tests were collected, or out of such a name."""

    def __init__(self, world: World, module: str, path: list[str]) -> None:
        self._world = world
        self._module = module
        self._path = path

    def _value(self) -> "Any":
        """What it stands for. Raises NeedsProgram, or what an import of it raises."""
        if self._world.far is None:
            raise NeedsProgram("the tests are collected before the program is there")
        first, *rest = self._path
        try:
            value = self._world.take(self._module, first)
        except AttributeError:
            raise ImportError(f"cannot import name {first!r} from {self._module!r}") from None
        for name in rest:
            value = getattr(value, name)
        return value

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._world.far is not None:
            return getattr(self._value(), name)
        return Name(self._world, self._module, [*self._path, name])

    def __call__(self, *args: object, **kwargs: object) -> object:
        if self._world.far is None and self._world.lenient:
            return self
        return self._value()(*args, **kwargs)

    def __mro_entries__(self, _bases: object) -> tuple[type, ...]:
        if self._world.lenient:
            return ()
        raise NotAcross("a subclass needs the program's class in this process")

    def __instancecheck__(self, _value: object) -> bool:
        raise NotAcross("isinstance needs the program's class in this process")

    def __eq__(self, other: object) -> bool:
        return bool(self._value() == other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self._value())

    def __iter__(self) -> Iterator[object]:
        return iter(self._value())

    def __len__(self) -> int:
        return len(self._value())

    def __getitem__(self, key: object) -> object:
        return self._value()[key]

    def __str__(self) -> str:
        return str(self._value())

    def __repr__(self) -> str:
        return f"<{'.'.join([self._module, *self._path])} of the program>"


class Finder:
    """Imports the program's modules as stand-ins: those with these top-level names."""

    def __init__(self, names: Iterable[str], world: World) -> None:
        self._names = frozenset(names)
        self._world = world

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] not in self._names:
            return None
        # Which of its modules are packages only the program knows: any may be.
        return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        if self._world.far is not None:
            self._world.far.ask("fetch", spec.name)
        return Module(spec.name, self._world)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing: the program runs it."""


def imported(folder: str) -> set[str]:
    """Top-level names of the modules that test files import and that neither they nor this
    interpreter have: they can only be the program's."""
    names: set[str] = set()
    own: set[str] = set()
    for place, _folders, files in os.walk(folder):
        # A package's modules are named through it, whatever it is in by itself.
        packaged = "__init__.py" in files
        if packaged and not os.path.exists(os.path.join(place, "..", "__init__.py")):
            own.add(os.path.basename(place))
        for file in files:
            if file.endswith(".py"):
                if not packaged:
                    own.add(file.removesuffix(".py"))
                with open(os.path.join(place, file), "rb") as source:
                    names |= _imports(source.read())
    unknown = names - own - sys.stdlib_module_names
    return {name for name in unknown if importlib.machinery.PathFinder.find_spec(name) is None}


def _imports(source: bytes) -> set[str]:
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()  # collecting it will say so
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
