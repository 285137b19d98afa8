"""Nonsense for fuzzing: JSON of any shape, and good messages with something in them changed."""

import json
from typing import Any

from hypothesis import strategies as st

# Where a number, a name or a list is expected, one of these will not do.
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 3, 2**31, 2**63, 10**400, 0.5, -0.0, float("nan"), float("inf"), "", "0",
     "exited", "oea", "value", "error", "a\0b", [], {}, [[]], [0], {"t": "handle"}, "é\ud800"]
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    ODD | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def changed(draw: st.DrawFn, message: Any) -> Any:
    """The same with one to three of its parts replaced, or left out."""
    found = json.loads(json.dumps(message))
    for _ in range(draw(st.integers(1, 3))):
        found = _changed(draw, found)
    return found


def _changed(draw: st.DrawFn, message: Any) -> Any:
    if not isinstance(message, dict | list) or not message or draw(st.integers(0, 5)) == 0:
        return draw(JSON)
    keys = list(message) if isinstance(message, dict) else list(range(len(message)))
    key = draw(st.sampled_from(keys))
    if draw(st.integers(0, 5)) == 0:
        del message[key]
    else:
        message[key] = _changed(draw, message[key])
    return message


@st.composite
def scratched(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with a few of them changed, cut off or put in."""
    found = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(found)))
        match draw(st.integers(0, 3)):
            case 0:
                found[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                found[place:place] = draw(st.binary(max_size=8))
            case 2:
                del found[place : place + draw(st.integers(1, 8))]
            case _:
                del found[place:]
    return bytes(found)
