"""SandboxFusion's modes that are more than a language: how their code is laid out to be run."""

import re

from proctor.content import Content

# It prints what pytest does, and ends as it does.
_PYTEST = """\
import sys
import pytest
sys.exit(pytest.main(["proctor_test.py", *sys.argv[1:]]))
"""
_PUBLIC_CLASS = re.compile(r"^\s*public\s+(?:(?:final|abstract)\s+)*class\s+(\w+)", re.MULTILINE)


def laid_out(mode: str, code: str) -> tuple[str, dict[str, Content]]:
    """The source to run for code in a mode or language, and the files beside it."""
    if mode == "pytest":
        return _PYTEST, {"proctor_test.py": code}
    if mode == "junit" and (found := _PUBLIC_CLASS.search(code)) and found[1] != "Main":
        # Java wants a public class in a file of its name.
        return "", {f"{found[1]}.java": code}
    return code, {}
