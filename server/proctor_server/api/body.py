"""Request bodies: read with a bound, decompressed with a bound, named by their type."""

import hashlib
import zlib
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from proctor_server.callers import Caller
from proctor_server.faults import Faults, invalid_json, refuse

JSON = "application/json"
NDJSON = "application/x-ndjson"
_MOST_KEY_CHARS = 200

M = TypeVar("M", bound=BaseModel)


async def read_body(request: Request, most: int) -> bytes:
    """The body, decompressed; never more than `most` bytes are held.

    Raises BadRequest: too long (413), an encoding other than gzip (415), no gzip (400).
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        refuse("Content-Encoding", "is not understood", "send gzip or no encoding", status=415)
    # Told in advance: refuse before anything is read.
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        _too_long(most)
    if encoding == "gzip":
        return await _gunzipped(request, most)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            _too_long(most)
        parts.append(part)
    return b"".join(parts)


async def _gunzipped(request: Request, most: int) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    room = most
    try:
        async for part in request.stream():
            # One byte more than there is room for tells a bomb from a body that just fits.
            parts.append(inflater.decompress(part, room + 1))
            room -= len(parts[-1])
            if room < 0:
                _too_long(most)
    except zlib.error:
        _no_gzip("is no gzip")
    if not inflater.eof:
        _no_gzip("is cut off")
    if inflater.unused_data:
        _no_gzip("has something after its gzip member")
    return b"".join(parts)


def media_type(request: Request, *allowed: str) -> str:
    """The body's type. Raises BadRequest (415) for others than those allowed.

    A browser can post text/plain to any address without asking, so a type must be said.
    """
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said not in allowed:
        refuse("Content-Type", "is not served here", f"send {' or '.join(allowed)}", status=415)
    return said


def parsed(model: type[M], body: bytes) -> M:
    """A JSON body as what it is to be. Raises BadRequest with all that is wrong."""
    try:
        with invalid_json():
            return model.model_validate_json(body)
    except ValidationError as error:
        faults = Faults()
        faults.add_invalid(error)
        raise faults.error() from None


def idempotency(request: Request, caller: Caller, body: bytes) -> tuple[str, str]:
    """What the request's Idempotency-Key is stored under ("": it has none), and its digest."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return "", ""
    if not 0 < len(key) <= _MOST_KEY_CHARS:
        refuse("Idempotency-Key", "has a bad length", f"use 1 to {_MOST_KEY_CHARS} characters")
    # Callers choose their keys without knowing of each other.
    place = f"{caller.name}\0{request.url.path}\0".encode()
    return (
        hashlib.sha256(place + key.encode()).hexdigest(),
        hashlib.sha256(place + body).hexdigest(),
    )


def lines(body: bytes) -> list[tuple[int, bytes]]:
    """The lines of NDJSON that are not blank, each with its number from 1."""
    return [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]


def _too_long(most: int) -> None:
    refuse(
        "body",
        f"is longer than {most} bytes",
        "send it in several requests",
        status=413,
        title="Body too long",
    )


def _no_gzip(reason: str) -> None:
    refuse("body", reason, "send whole gzip data or no Content-Encoding", status=400)
