"""Stand-ins for a project's modules, and a project that answers nonsense."""

import struct
from pathlib import Path
from typing import Any

import pytest

from proctor_sandbox.agent import stand_ins, values
from proctor_sandbox.agent.handles import CandidateError
from proctor_sandbox.agent.stand_ins import Project


class Canned:
    """A stream on which answers wait, whatever is asked."""

    def __init__(self, *answers: bytes) -> None:
        self._said = b"".join(struct.pack("!I", len(answer)) + answer for answer in answers)

    def write(self, data: memoryview) -> int:
        return len(data)

    def read(self, size: int) -> bytes:
        said, self._said = self._said[:size], self._said[size:]
        return said


def error(names: Any, parents: Any, args: Any = ()) -> bytes:
    return values.dumps(("error", names, parents, args))


MINE = ["shop.Full", "shop.Mark", "shop.ShopError", "ValueError", "Exception", "object"]
PARENTS = [[1, 2], [5], [3], [4], [5], []]


def test_an_exception_comes_with_its_bases_each_the_same_every_time() -> None:
    project = Project(Canned(*[error(MINE, PARENTS, ("x", 2))] * 2))
    kinds = []
    for _ in range(2):
        with pytest.raises(ValueError, match="x") as caught:
            project.ask("call", "f")
        assert caught.value.args == ("x", 2)
        kinds.append(type(caught.value))
    assert kinds[0] is kinds[1]
    assert [kind.__name__ for kind in kinds[0].__mro__[:4]] == [
        "Full", "Mark", "ShopError", "ValueError",
    ]  # fmt: skip
    assert not issubclass(kinds[0].__mro__[1], Exception)


@pytest.mark.parametrize(
    ("names", "parents"),
    [
        ([], []),
        (["KeyboardInterrupt"], [[]]),
        (["StopIteration"], [[]]),
        (["SystemExit", "BaseException"], [[1], []]),
        (["object"], [[]]),
        (["type"], [[]]),
        (["len"], [[]]),
        (["__name__"], [[]]),
        (["__spec__"], [[]]),
        (["nowhere"], [[]]),
        (["shop.Full"], [[]]),
        (["shop.Full"], [[0]]),
        (["shop.Full", "ValueError"], [[7], []]),
        (["shop.Full", "ValueError"], [[1]]),
        (["shop.Full", "ValueError"], 7),
        (["shop.Full", "len"], [[1], []]),
        (["shop.Full", "bool"], [[1], []]),
        (["shop.Full", "int", "OSError"], [[1, 2], [], []]),
        (["shop.Full\nD", "ValueError"], [[1], []]),
        (["shop." + "A" * 5000, "ValueError"], [[1], []]),
        ([f"shop.A{n}" for n in range(100)], [[n + 1] for n in range(100)]),
        ([3, 4], [[], []]),
        ("ValueError", [[]]),
        ({"ValueError": 1}, [[]]),
        (None, None),
    ],
)
def test_an_exception_that_can_be_none_is_a_bad_answer(names: Any, parents: Any) -> None:
    with pytest.raises(CandidateError):
        Project(Canned(error(names, parents))).ask("call", "f")


@pytest.mark.parametrize(
    "lineage",
    [
        values.dumps(("value", [["len"], [[]]], {})),
        values.dumps(("value", [1, 2, 3], {})),
        values.dumps(("value", 7, {})),
        values.dumps(("value", type, {}), lambda _: 0),
        b"nonsense",
        b"",
    ],
)
def test_a_class_whose_bases_make_no_sense_is_a_bad_answer(lineage: bytes) -> None:
    a_class = values.dumps(("value", ValueError, {}), lambda _: 0)
    with pytest.raises(CandidateError):
        Project(Canned(a_class, *[lineage] * 5)).ask("get", "shop", ("Full",))


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"test_a.py": "import shop.parts, json, os.path\nfrom till import x"}, {"shop", "till"}),
        ({"test_a.py": "import helpers", "helpers.py": "def f(): import shop"}, {"shop"}),
        ({"test_a.py": "from . import shop\nfrom .till import x"}, set()),
        # A test's folder may have the name of the module that it tests; a package may not.
        ({"shop/test_a.py": "import shop"}, {"shop"}),
        ({"shop/__init__.py": "", "shop/test_a.py": "import shop"}, set()),
        ({"test/__init__.py": "", "test/shop.py": "import shop"}, {"shop"}),
        ({"test_a.py": "import pytest, nothing_like_it"}, {"nothing_like_it"}),
        ({"test_a.py": "import shop !", "test_b.py": "import till"}, {"till"}),
        ({"data.txt": "import shop"}, set()),
    ],
)
def test_what_nobody_else_has_is_the_programs(
    tmp_path: Path, files: dict[str, str], names: set[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert stand_ins.imported(str(tmp_path)) == names
