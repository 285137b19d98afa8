"""What files, inputs and outputs hold: text as it is, anything else as base64."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Deeper or longer paths are no program's; the sandbox's own folders come before them.
_MOST_PARTS = 16
_LONGEST_PATH = 255
# Of one submission or one test; a file takes about 1 KiB in a sandbox beside its bytes.
MOST_FILES = 256


def _valid(text: str) -> str:
    _decoded(text)
    return text


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"is no base64: {error}") from None


class Binary(BaseModel):
    """Bytes that are no UTF-8 text, or that may be none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base64: Annotated[str, AfterValidator(_valid)]


Content = str | Binary


def to_bytes(content: Content) -> bytes:
    """The bytes that a content stands for."""
    return content.encode() if isinstance(content, str) else _decoded(content.base64)


def to_content(data: bytes) -> Content:
    """Text where the bytes are UTF-8, base64 where they are not."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Binary(base64=base64.b64encode(data).decode())


def _inside(path: str) -> str:
    parts = path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts) or "\0" in path or len(parts) > _MOST_PARTS:
        raise ValueError("must be a path inside the working directory, such as data/input.txt")
    return path


def files_size(files: Mapping[str, Content]) -> int:
    """About how many bytes files hold: a quarter less where they are base64."""
    return sum(
        len(one.encode()) if isinstance(one, str) else len(one.base64) for one in files.values()
    )


Path = Annotated[str, Field(min_length=1, max_length=_LONGEST_PATH), AfterValidator(_inside)]
Files = Annotated[dict[Path, Content], Field(max_length=MOST_FILES)]
