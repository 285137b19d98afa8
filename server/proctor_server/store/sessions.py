"""Sessions: browsers that have shown a key once, each known by a cookie that says nothing.

Of both cookie and key Redis has the digest alone: who reads it can log in with neither.
"""

import hashlib
import secrets
from typing import Any

import redis.asyncio

from proctor_server.store import keys
from proctor_server.store.connection import translated

_TOKEN_BYTES = 32


class Sessions:
    """Every method raises StoreUnavailable where Redis does not answer."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._redis = client

    async def begin(self, key_digest: str) -> str:
        """The token of a new session of a key, which holds for SESSION_TTL_S."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with translated():
            await self._redis.set(_place(token), key_digest, ex=keys.SESSION_TTL_S)
        return token

    async def key_digest(self, token: str) -> str | None:
        """The digest of the key that a session is of; None where there is no such session."""
        with translated():
            found: Any = await self._redis.get(_place(token))
        return None if found is None else found.decode()

    async def end(self, token: str) -> None:
        """End a session, if it is there."""
        with translated():
            await self._redis.delete(_place(token))


def _place(token: str) -> str:
    return keys.SESSION + hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
