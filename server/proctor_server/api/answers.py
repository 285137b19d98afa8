"""What every answer with an error status has to say in its headers, whatever its shape."""

HEADERS = {
    # Long enough that a Redis that restarts is back, short enough that nobody notices.
    503: {"Retry-After": "1"},
    # What is queued takes a while to be run.
    429: {"Retry-After": "5"},
    401: {"WWW-Authenticate": "Bearer"},
    # Else the server reads all the rest of a body that is too long.
    413: {"Connection": "close"},
}
