"""Programs as they were posted, kept beside a batch's results so that they can be looked at.

They are packed some at a time: samples for one problem have most of their lines in common, so a
group takes a fraction of its programs' bytes, and reading one unpacks one group only.
"""

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any

import redis.asyncio
from pydantic_core import from_json, to_json

from proctor_server.store import keys
from proctor_server.store.connection import translated
from proctor_server.units import Unit

# 64 programs of 1 KiB are twice zlib's window: more in a group would take hardly less.
_GROUP = 64
# The fastest: a fifth more bytes than level 6 on HumanEval's solutions, in half the time.
_ZLIB_LEVEL = 1


async def pack_sources(units: Sequence[Unit]) -> list[bytes]:
    """The programs of a batch's items in groups, in their order."""
    groups = [units[start : start + _GROUP] for start in range(0, len(units), _GROUP)]
    # Of one program it takes less time than a thread does.
    if len(units) == 1:
        return [_packed(units)]
    return await asyncio.to_thread(lambda: [_packed(group) for group in groups])


def _packed(units: Sequence[Unit]) -> bytes:
    return zlib.compress(to_json([unit.source for unit in units]), _ZLIB_LEVEL)


async def read_source(client: "redis.asyncio.Redis", batch_id: str, index: int) -> str | None:
    """The program of a batch's item; None where programs are not kept.

    Raises StoreUnavailable.
    """
    with translated():
        found: Any = await client.hget(keys.SOURCES + batch_id, str(index // _GROUP))
    if found is None:
        return None
    source: str = from_json(zlib.decompress(found))[index % _GROUP]
    return source
