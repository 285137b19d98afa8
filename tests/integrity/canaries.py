"""Canaries: random words put where hidden data is, and the search for them in what comes out."""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx


@dataclass
class Canaries:
    """The words that are hidden, and all that was seen of the stack from outside."""

    words: list[str] = field(default_factory=list)
    seen: list[tuple[str, bytes]] = field(default_factory=list)

    def word(self) -> str:
        """A new one, which is a name too, so that it may be a class or a file."""
        self.words.append(f"canary{secrets.token_hex(8)}")
        return self.words[-1]

    def number(self) -> int:
        """A new one that is a number."""
        number = secrets.randbelow(10**17) + 10**17
        self.words.append(str(number))
        return number

    def answered(self, response: httpx.Response) -> None:
        """Keep an answer: a hook of httpx."""
        response.read()
        where = f"{response.request.method} {response.request.url.path}: {response.status_code}"
        headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        self.seen.append((where, headers.encode() + b"\n\n" + response.content))

    def found(self) -> list[str]:
        """Where a word shows, in whatever form."""
        return [
            f"{word} as {form!r} in {where}"
            for word in self.words
            for form in forms(word)
            for where, data in self.seen
            if form in data
        ]


def forms(word: str) -> Iterator[bytes]:
    """What a word looks like to someone who is not to notice."""
    plain = word.encode()
    yield plain
    yield plain[::-1]
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    yield "".join(f"\\x{byte:02x}" for byte in plain).encode()
    yield "".join(f"\\u{byte:04x}" for byte in plain).encode()
    yield "".join(f"%{byte:02X}" for byte in plain).encode()
    for shift in range(3):  # wherever in a longer text it begins
        encoded = base64.b64encode(b"\0" * shift + plain)
        yield encoded[4 if shift else 0 : len(encoded) - 4]
    if word.isdigit():
        yield f"{int(word):x}".encode()
        yield f"{float(word)!r}".encode()
