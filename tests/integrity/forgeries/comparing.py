"""Outputs that a lenient comparer might let pass, under each comparer."""

from proctor.types import Comparer
from tests.integrity.forgery import Forgery, Row, dedented, under

_READ = "n = int(input())\n"
# Each comparer accepts what those before it accept, so what the last one refuses all refuse;
# `lines` is the one that a problem has which says nothing.
_MOST = ("lines", "floats")
_ALWAYS = {
    "nothing": "",
    "an empty line": "print()",
    "every plausible answer": "print(*range(1000))",
    "every plausible answer, a line each": "print(*range(1000), sep='\\n')",
    "the right answer and another": "print(3 * n)\nprint(3 * n)",
    "the right answer and its input": "print(3 * n, n)",
    "a wrong answer before the right one": "print(0)\nprint(3 * n)",
    "the right answer wiped away": "print(f'\\x1b[2J\\x1b[H{3 * n}')",
    "a wrong answer written over": "print(f'0\\r{3 * n}')",
    "NUL after it": "print(f'{3 * n}\\0')",
    "NUL and more after it": "print(f'{3 * n}\\0 0')",
    "digits of another script": "print(''.join(chr(0x660 + int(c)) for c in str(3 * n)))",
    "a byte order mark": "print(f'\\ufeff{3 * n}')",
    "a space that is none": "print(f'{3 * n}\\u00a0')",
    "underscores": "print(f'{3 * n // 10}_{3 * n % 10}')",
    "hexadecimal": "print(hex(3 * n))",
    "a sum": "print(f'{2 * n}+{n}')",
    "not a number": "print('nan')",
    "infinity": "print('inf')",
    "a number beyond every float": "print('9' * 4000)",
    "an exponent beyond every float": "print('1e999999999')",
    "a number of too many digits": "print('0' * 2000 + str(3 * n))",
    "a pattern": "print('.*')",
    "a format": "print('%d')",
    "the right answer on stderr": "import sys\nprint(3 * n, file=sys.stderr)",
    "quoted": "print(repr(str(3 * n)))",
    "JSON": "print([3 * n])",
}
# Where the comparer says that it matters.
_STRICT = {
    "exact": {
        "a space at the end": "print(3 * n, '')",
        "no newline at the end": "print(3 * n, end='')",
        "CR before LF": "print(3 * n, end='\\r\\n')",
    },
    "rstrip": {"a space at the end": "print(3 * n, '')", "CR": "print(3 * n, end='\\r\\n')"},
    "lines": {"a space in front": "print('', 3 * n)", "a sign": "print(f'+{3 * n}')"},
    "tokens": {"a sign": "print(f'+{3 * n}')", "a float": "print(float(3 * n))"},
    "floats": {
        "nearly right": "print(3 * n + 0.1)",
        "both ends of a tolerance": "print(-3 * n, 3 * n)",
    },
}

FORGERIES: list[Forgery] = [
    Forgery(
        Row.COMPARERS, f"{name}, {comparer}", under(Comparer(name=comparer)), _READ + dedented(text)
    )
    for comparer, strict in _STRICT.items()
    for name, text in {**(_ALWAYS if comparer in _MOST else {}), **strict}.items()
]
