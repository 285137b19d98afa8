"""Contents as the text that peers' JSON has for them, and files as their base64."""

import base64
import binascii
import posixpath

from proctor.content import Binary, Content, to_bytes
from proctor.runs import Phase
from proctor_server.faults import refuse

CUT = "\n[cut: the program wrote more than the output limit]\n"


def text(content: Content) -> str:
    """Text, with U+FFFD in the place of what is no UTF-8."""
    if isinstance(content, str):
        return content
    return to_bytes(content).decode(errors="replace")


def stderr(phase: Phase) -> str:
    """A phase's stderr as text, with a mark at its end where output was cut."""
    return text(phase.stderr) + (CUT if phase.truncated else "")


def encoded(content: Content) -> str:
    """Base64 of a content's bytes."""
    return base64.b64encode(to_bytes(content)).decode()


def binary(data: str, where: str) -> Binary:
    """The content of base64. Raises BadRequest."""
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        refuse(where, "is no base64", "send the file's bytes in base64")
    return Binary(base64=data)


def inside(path: str, where: str) -> str:
    """A path as we have it, without `./` and the like. Raises BadRequest where it leads out."""
    normal = posixpath.normpath(path)
    if not path or normal.startswith(("/", "..")) or normal == "." or "\0" in normal:
        refuse(where, "is no path inside the working directory", "give one such as data/in.txt")
    return normal
