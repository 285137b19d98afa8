"""Values that say yes to every comparison, or that are more than a test was written for."""

from tests.integrity.forgery import Forgery, Row, asked, dedented

_YES = dedented("""
    class Yes(BASE):
        def _yes(self, *args, **kwargs): return True
        def _me(self, *args, **kwargs): return self
        __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = _yes
        __instancecheck__ = __subclasscheck__ = __exit__ = _yes
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __abs__ = __round__ = _me
        __call__ = __getitem__ = __neg__ = __truediv__ = __rtruediv__ = __enter__ = __mod__ = _me
        def __hash__(self): return hash('aaa')
        def __len__(self): return 6
        def __iter__(self): return iter((3, 60, 7.5))
        def __index__(self): return 3
        def __float__(self): return 7.5
        def __int__(self): return 60
        def __str__(self): return 'aaa'
        __repr__ = __str__
    """)
# Each a Yes on top of a built-in type, with a plain value underneath that is never right.
_BASES = {
    "object": "Yes()",
    "int": "Yes(-9)",
    "float": "Yes(-9.0)",
    "complex": "Yes(-9)",
    "str": "Yes('no')",
    "bytes": "Yes(b'no')",
    "bytearray": "Yes(b'no')",
    "list": "Yes([0])",
    "tuple": "Yes([0])",
    "dict": "Yes({0: 0})",
    "set": "Yes([0])",
    "frozenset": "Yes([0])",
    "type": "Yes('No', (), {})",
    "Exception": "Yes('no')",
}
# One assert asks for no more than a length: len(f("ab")) == 6 with math.isclose before it, so
# no value that is not a number for a number gets that far.
_OTHERS = {
    "a mock": """
        from unittest.mock import MagicMock
        def f(x):
            mock = MagicMock()
            mock.__eq__ = mock.__bool__ = lambda *_: True
            return mock
        """,
    "mock.ANY": "from unittest.mock import ANY\ndef f(x): return ANY",
    "a class that claims to be int": """
        class Claim:
            __class__ = property(lambda self: int)
            def __eq__(self, other): return True
            def __hash__(self): return 0
            def __index__(self): return 3
        def f(x): return Claim()
        """,
    "a class that claims to be list": """
        class Claim:
            __class__ = property(lambda self: list)
            def __eq__(self, other): return True
            def __iter__(self): return iter([3])
            def __len__(self): return 6
        def f(x): return Claim()
        """,
    "a metaclass that says yes": """
        class Meta(type):
            def __instancecheck__(cls, other): return True
            def __eq__(cls, other): return True
            def __hash__(cls): return 0
        class Claim(metaclass=Meta): pass
        def f(x): return Claim
        """,
    "numpy's name": """
        class Claim:
            def tolist(self): return self
            def __eq__(self, other): return True
        Claim.__module__ = 'numpy'
        def f(x): return Claim()
        """,
    "an array that is all true": """
        class Array(list):
            def __eq__(self, other): return Array([True])
            def all(self): return True
            any = item = all
        def f(x): return Array([True])
        """,
    "an enum that agrees": """
        import enum
        class Colour(int, enum.Enum):
            RED = -9
            def __eq__(self, other): return True
            def __hash__(self): return 0
        def f(x): return Colour.RED
        """,
    "a named tuple that agrees": """
        import collections
        class Pair(collections.namedtuple('Pair', 'a b')):
            def __eq__(self, other): return True
            def __hash__(self): return 0
        def f(x): return Pair(0, 0)
        """,
    "a partial order": """
        class Both(float):
            def __gt__(self, other): return True
            __lt__ = __ge__ = __le__ = __gt__
            def __sub__(self, other): return Both(0)
            __rsub__ = __abs__ = lambda self, *_: Both(0)
        def f(x): return Both('nan')
        """,
    "not a number": "def f(x): return float('nan')",
    "infinity": "def f(x): return float('inf')",
    "a decimal that is not a number": "import decimal\ndef f(x): return decimal.Decimal('NaN')",
    "a signalling decimal": "import decimal\ndef f(x): return decimal.Decimal('sNaN')",
    "true": "def f(x): return True",
    "itself": "import sys\ndef f(x): return f",
    "its module": "import sys\ndef f(x): return sys.modules['candidate']",
    "a generator of every number": """
        def f(x):
            number = 0
            while True:
                yield number
                number += 1
        """,
    "an iterator of all there is": """
        import itertools
        def f(x): return itertools.count()
        """,
    "every answer at once": "def f(x): return {3, 60, 7.5, 900, 12, 9, 21, 'aaa'}",
    "a range of every answer": "def f(x): return range(2 ** 62)",
    "a list that holds itself": "def f(x):\n    y = []\n    y.append(y)\n    return y",
    "a dict that holds itself": "def f(x):\n    y = {}\n    y[0] = y\n    return y",
    "a hundred thousand lists deep": """
        def f(x):
            for _ in range(100_000): x = [x]
            return x
        """,
    "two million characters": "def f(x): return 'aaa' * 700_000",
    "a hundred thousand members": "def f(x): return [0] * 100_000",
    "a number of a million digits": "def f(x): return 3 << 4_000_000",
    "text for a number": "def f(x): return str(3 * x) + ' '",
    "bytes for text": "def f(x): return b'aaa'",
    "a deque for a list": """
        import collections
        def f(x): return collections.deque(3 * x) if isinstance(x, list) else None
        """,
}

FORGERIES: list[Forgery] = [
    *(
        one
        for base, value in _BASES.items()
        for one in asked(
            Row.AGREEING,
            f"{base} that agrees",
            _YES.replace("BASE", base) + f"def f(x): return {value}\n",
        )
    ),
    *(one for name, text in _OTHERS.items() for one in asked(Row.AGREEING, name, text)),
]
