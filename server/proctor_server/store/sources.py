"""Programs as they were posted, kept beside a batch's results so that they can be looked at.

They are packed some at a time: samples for one problem have most of their lines in common, so a
group takes a fraction of its programs' bytes, and reading one unpacks one group only.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import redis.asyncio
from pydantic_core import from_json, to_json

from proctor_server.store import keys
from proctor_server.store.connection import translated

# 64 programs of 1 KiB are twice zlib's window: more in a group would hardly take less.
GROUP = 64
# The fastest: at most 5 % more bytes than level 6, in a third of the time.
_ZLIB_LEVEL = 1


def pack_sources(sources: Sequence[str]) -> list[bytes]:
    """A batch's programs in groups, in the order of its items."""
    return [
        zlib.compress(to_json(sources[start : start + GROUP]), _ZLIB_LEVEL)
        for start in range(0, len(sources), GROUP)
    ]


async def read_source(client: "redis.asyncio.Redis", batch_id: str, index: int) -> str | None:
    """The program of a batch's item; None where programs are not kept.

    Raises StoreUnavailable.
    """
    with translated():
        found: Any = await client.hget(keys.SOURCES + batch_id, str(index // GROUP))
    if found is None:
        return None
    source: str = from_json(zlib.decompress(found))[index % GROUP]
    return source
