"""Request ids: what a request is called in logs and in its answer."""

import re
import uuid
from contextvars import ContextVar

HEADER = "X-Request-ID"

# Also what is safe in a log line, whoever reads it.
_GOOD = re.compile(r"[A-Za-z0-9._:/+=-]{1,100}")

# The id of the request that is being served; "" outside of any.
current: ContextVar[str] = ContextVar("request", default="")


def chosen(given: str) -> str:
    """The id that a caller gave, or a new one where that can't be one."""
    return given if _GOOD.fullmatch(given) else uuid.uuid4().hex
