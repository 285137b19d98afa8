"""Redis's memory: how much it takes, how much it may, and when that is nearly all of it."""

from dataclasses import dataclass

import redis.asyncio

from proctor_server.store.connection import translated

# The rest is the workers'. Without it they could neither write results nor remove what is done,
# and a full Redis would stay full.
_ROOM = 0.9


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes; a limit of None is none."""

    used: int = 0
    limit: int | None = None

    @property
    def nearly_full(self) -> bool:
        """Whether what is left is only for work that was accepted already."""
        return self.limit is not None and self.used >= _ROOM * self.limit


async def read_memory(client: "redis.asyncio.Redis") -> Memory:
    """Ask Redis. Raises StoreUnavailable."""
    with translated():
        told = await client.info("memory")
    return Memory(told["used_memory"], told["maxmemory"] or None)
