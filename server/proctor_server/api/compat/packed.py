"""Data that peers pack as base64 of zlib, so that tests take less room."""

import base64
import binascii
import zlib

from proctor_server.faults import refuse


def unpacked(text: str, most_bytes: int, where: str) -> bytes:
    """What base64 of zlib data holds, up to `most_bytes`. Raises BadRequest."""
    try:
        packed = base64.b64decode(text, validate=True)
        inflater = zlib.decompressobj()
        # One byte more than there is room for tells a bomb from what just fits.
        data = inflater.decompress(packed, most_bytes + 1)
    except (binascii.Error, ValueError, zlib.error):
        refuse(where, "is no base64 of zlib data", "pack it anew, or send it as JSON")
    if len(data) > most_bytes:
        reason = f"holds more than {most_bytes} bytes when decompressed"
        refuse(where, reason, "send less at once")
    if not inflater.eof:
        refuse(where, "is cut off", "send all of it")
    return data
