"""Which versions an image, or this machine, really has: its own tools are asked."""

import json
import re
import shlex
import sys

from proctor_sandbox.languages import LANGUAGES

_MARK = "language: "
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def question(family: str) -> str:
    """A shell script that asks the tools of each language of an image family."""
    asked = (one for one in LANGUAGES.values() if one.image == family)
    return "\n".join(
        f"echo {shlex.quote(_MARK + one.name)}; {shlex.join(one.version)} </dev/null 2>&1"
        for one in asked
    )


def answer(said: str) -> dict[str, str]:
    """Versions by language, from what such a script printed; tools that are missing say none."""
    found = {}
    for part in said.split(_MARK)[1:]:
        name, _, words = part.partition("\n")
        if version := _version(words):
            found[name] = version
    return found


def _version(words: str) -> str | None:
    if "not found" in words:
        return None
    number = _NUMBER.search(words)
    # Erlang's is one number alone.
    return number.group() if number else words.strip() if words.strip().isdecimal() else None


if __name__ == "__main__":
    # For the build script: `question FAMILY`, and `answer` with what came of it on stdin.
    print(
        question(sys.argv[2]) if sys.argv[1] == "question" else json.dumps(answer(sys.stdin.read()))
    )
