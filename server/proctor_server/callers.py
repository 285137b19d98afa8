"""Who asks: API keys, each with what it may do and how much of it.

A key is 32 random bytes, so its SHA-256 can be neither reversed nor guessed: a slow hash, which
passwords need, would protect nothing here. The file of keys holds these digests only.
"""

import base64
import hashlib
import hmac
import logging
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from proctor_sandbox.limits import MIB
from proctor_server.errors import Forbidden, Unauthorized

_PREFIX = "proctor_"
_KEY_BYTES = 32
_NAME = r"^[A-Za-z0-9_.-]{1,64}$"

_log = logging.getLogger(__name__)


class Scope(StrEnum):
    """What a key is good for. `admin` includes the others."""

    SUBMIT = "submit"  # post programs, cancel one's own batches
    READ = "read"  # results of one's own batches, problems' descriptions, info and metrics
    ADMIN = "admin"  # store problems; everybody's batches


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. None is no limit of one's own; `share` weighs turns in the queue."""

    name: str
    scopes: frozenset[Scope]
    max_queued: int | None = None
    max_body_bytes: int | None = None
    share: float = 1.0

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Raise Forbidden without this scope."""
        if scope not in self.scopes and not self.is_admin:
            raise Forbidden(f"this key has not the scope {scope}")


# Whoever reaches the API, where there is no file of keys.
EVERYBODY = Caller("", frozenset(Scope))


class BadKeys(Exception):
    """Raised when a file of keys can't be used; says where and why."""


class _Entry(BaseModel):
    """One key as the file has it."""

    model_config = ConfigDict(extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[Scope] = Field(min_length=1)
    max_queued: int | None = Field(None, ge=1)
    max_body_mb: int | None = Field(None, ge=1)
    share: float = Field(1.0, gt=0, le=1000)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: dict[str, _Entry] = {}


class Callers:
    """The callers that a file of keys knows. Without a file there is EVERYBODY alone."""

    def __init__(self, path: Path | None) -> None:
        """Raises BadKeys."""
        self._path = path
        self._stamp = None if path is None else _stamp(path)
        self._by_digest = {} if path is None else _callers(path)

    @property
    def has_keys(self) -> bool:
        """Whether a request needs a key."""
        return self._path is not None

    def of(self, authorization: str | None) -> Caller:
        """The caller with this Authorization header. Raises Unauthorized."""
        if self._path is None:
            return EVERYBODY
        if authorization is None:
            raise Unauthorized("this server wants a key: send it as Authorization: Bearer <key>")
        key = _sent_key(authorization)
        return self.with_digest("" if key is None else digest(key))

    def with_digest(self, sent: str) -> Caller:
        """The caller whose key has this digest. Raises Unauthorized."""
        found: Caller | None = None
        # All are compared, in constant time each: how long it takes tells nothing.
        for known, caller in self._by_digest.items():
            if hmac.compare_digest(sent, known):
                found = caller
        if found is None:
            raise Unauthorized("this key is not known, or no longer")
        return found

    def refresh(self) -> None:
        """Read the file again where it has changed; a faulty one is told of once, and not taken
        over."""
        if self._path is None or (stamp := _stamp(self._path)) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._by_digest = _callers(self._path)
        except BadKeys as error:
            _log.error("the file of keys is not taken over: %s", error)
        else:
            _log.warning("the keys in %s were read again", self._path)


def _sent_key(authorization: str) -> str | None:
    """The key in a header: a bearer token, or the password of Basic authentication.

    That is what clients of other services send which know no keys, for http://any:<key>@host.
    """
    scheme, _, sent = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return sent.strip()
        case "basic":
            try:
                return base64.b64decode(sent.strip(), validate=True).decode().partition(":")[2]
            except ValueError:
                return None
    return None


def _callers(path: Path) -> dict[str, Caller]:
    """The callers of a file by the digests of their keys. Raises BadKeys."""
    return {
        entry.sha256: Caller(
            name,
            entry.scopes,
            entry.max_queued,
            None if entry.max_body_mb is None else entry.max_body_mb * MIB,
            entry.share,
        )
        for name, entry in read(path).items()
    }


def read(path: Path) -> Mapping[str, _Entry]:
    """The keys of a file by their names. Raises BadKeys."""
    try:
        found = _File.model_validate(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadKeys(f"{path}: {error}") from None
    except pydantic.ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise BadKeys(f"{path}: {faults}") from None
    for name in found.keys:
        if not re.fullmatch(_NAME, name):
            raise BadKeys(f"{path}: {name!r} is no name: use letters, digits, '_', '.', '-'")
    if len({entry.sha256 for entry in found.keys.values()}) < len(found.keys):
        raise BadKeys(f"{path}: two names have the same key")
    return found.keys


def new_key() -> tuple[str, str]:
    """A new key, and its digest for the file."""
    key = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    return key, digest(key)


def digest(key: str) -> str:
    """What the file of keys has of a key."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when the file does; None where it can't be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
