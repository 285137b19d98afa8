from hypothesis import given
from hypothesis import strategies as st

from proctor_sandbox.docker_stream import Demultiplexer


def frame(stream: int, content: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300))),
    st.lists(st.integers(1, 50)),
)
def test_stdout_comes_whole_however_the_stream_is_cut(
    pieces: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(frame(number, content) for number, content in pieces)
    demultiplexer = Demultiplexer()
    stdout = b""
    for cut in [*cuts, len(stream)]:
        stdout += demultiplexer.feed(stream[:cut])
        stream = stream[cut:]
    assert stdout == b"".join(content for number, content in pieces if number == 1)
    assert demultiplexer.stderr == b"".join(c for number, c in pieces if number == 2)[-8192:]


def test_stderr_is_kept_to_its_end_only() -> None:
    demultiplexer = Demultiplexer()
    for _ in range(100):
        demultiplexer.feed(frame(2, b"x" * 1000))
    demultiplexer.feed(frame(2, b"the end"))
    assert len(demultiplexer.stderr) == 8192
    assert demultiplexer.stderr.endswith(b"the end")
