"""Test code whose assert statements are counted one by one.

An assert that fails is noted and the test code goes on, so that a pass rate exists inside
one `check` function. Left as they are, and not counted:

- an assert of a constant: `assert True` can't fail, `assert False` says "never reached";
- an assert inside a `try` that has handlers: the test code may want to catch it.

The total is a property of the text, so no program can change the denominator.
"""

import ast
import builtins
import symtable
import sys

RECORDER = "__proctor_recorder__"


class Prepared:
    """Test code made ready: what to compile, what to count, what to ask the program for."""

    def __init__(
        self, tree: ast.Module, soft: int, hard: int, remote: list[str], modules: list[str]
    ) -> None:
        self.tree = tree
        self.soft = soft
        self.hard = hard
        self.remote = remote  # names that only the program can know
        self.modules = modules  # standard modules that the code uses without importing them

    @property
    def total(self) -> int:
        """How many test cases there are; reaching the end counts where asserts do not."""
        return self.soft + (1 if self.hard or not self.soft else 0)


def count(code: str) -> int:
    """How many test cases a piece of test code counts as.

    Raises SyntaxError or ValueError if it is no Python.
    """
    return prepare(code).total


def prepare(code: str) -> Prepared:
    """Parse test code and soften its asserts. Raises SyntaxError or ValueError."""
    try:
        tree = ast.parse(code, "test.py")
        softener = _Softener()
        remote, modules = _free_names(code, tree)
        softened = ast.fix_missing_locations(softener.visit(tree))
    except (RecursionError, MemoryError):
        raise SyntaxError("nested too deeply") from None
    return Prepared(softened, softener.soft, softener.hard, remote, modules)


class _Softener(ast.NodeTransformer):
    def __init__(self) -> None:
        self.soft = 0
        self.hard = 0
        self._guarded = 0

    def visit_Try(self, node: ast.Try | ast.TryStar) -> ast.AST:
        guarded = bool(node.handlers)
        self._guarded += guarded
        node.body = [self.visit(child) for child in node.body]
        self._guarded -= guarded
        for field in ("handlers", "orelse", "finalbody"):
            setattr(node, field, [self.visit(child) for child in getattr(node, field)])
        return node

    visit_TryStar = visit_Try  # noqa: N815 - named by ast.NodeVisitor

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        if isinstance(node.test, ast.Constant):
            self.hard += not node.test.value
            return node
        if self._guarded:
            self.hard += 1
            return node
        ordinal = ast.Constant(self.soft)
        self.soft += 1
        recorder = ast.Name(RECORDER, ast.Load())

        def note(method: str, *arguments: ast.expr) -> ast.stmt:
            call = ast.Call(ast.Attribute(recorder, method, ast.Load()), [ordinal, *arguments], [])
            return ast.Expr(call)

        held = ast.If(node.test, [note("held")], [note("failed")])
        error = ast.Name("__proctor_error__", ast.Load())
        handler = ast.ExceptHandler(
            ast.Attribute(recorder, "Caught", ast.Load()),
            "__proctor_error__",
            [note("raised", error)],
        )
        return ast.copy_location(ast.Try([held], [handler], [], []), node)


def _free_names(code: str, tree: ast.AST) -> tuple[list[str], list[str]]:
    """Names the code uses but nowhere binds: (the program's, standard modules)."""
    free: set[str] = set()
    bound: set[str] = set()
    tables = [symtable.symtable(code, "test.py", "exec")]
    top = tables[0]
    for symbol in top.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            bound.add(symbol.get_name())
    while tables:
        table = tables.pop()
        tables.extend(table.get_children())
        for symbol in table.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                free.add(symbol.get_name())
    free -= bound
    free = {name for name in free if not hasattr(builtins, name)}
    # `math.isclose(...)` in a test that imports nothing means the standard module; asked of
    # the program it could be anything. A bare `bisect(...)` is the program's function.
    dotted = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    modules = {name for name in free & dotted if name in sys.stdlib_module_names}
    return sorted(free - modules), sorted(modules)
