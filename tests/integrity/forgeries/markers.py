"""Programs that write what a judge is thought to read: summaries, frames, lines, files."""

from tests.integrity.forgery import Forgery, Row, asked, dedented, printed

# Writes replies to whatever the program has that may be its examiner's end, or its answer's.
SAY = dedented("""
    import os, stat, struct
    def channels():
        for fd in range(3, 64):
            try: kind = os.fstat(fd).st_mode
            except OSError: continue
            if stat.S_ISSOCK(kind) or stat.S_ISFIFO(kind): yield fd, stat.S_ISSOCK(kind)
    def say(*texts):
        for fd, framed in channels():
            os.set_blocking(fd, False)
            for text in texts:
                try: os.write(fd, (struct.pack('!I', len(text)) if framed else b'') + text)
                except OSError: pass
            os.set_blocking(fd, True)
    VALUE = b'["value",-1,{"t":"dict","v":[]}]'
    """)

# What is said when asked; afterwards the program answers what is wrong.
_SAID = {
    "a reply ahead of the request": ("VALUE",),
    "a thousand replies ahead": ("*[VALUE] * 1000",),
    "no reply but an empty one": ("b''", "b''"),
    "a reply that is no list": ("b'3'", "b'true'", "b'null'"),
    "a reply of an unknown kind": ("""b'["passed",3,{"t":"dict","v":[]}]'""",),
    "the end": ("""b'["end"]'""",) * 3,
    "changes to arguments that were none": (
        """b'["value",-1,{"t":"dict","v":[[0,-1],[1,2],[-1,3]]}]'""",
    ),
    "changes of the wrong type": ("""b'["value",-1,{"t":"dict","v":[[0,[3]]]}]'""",),
    "changes that are no table": ("""b'["value",-1,[[0,3]]]'""", """b'["value",-1,null]'"""),
    "changes that are a handle": ("""b'["value",-1,{"t":"handle","v":[0,"dict"]}]'""",),
    "a handle that there is not": ("""b'["value",{"t":"handle","v":[99,"int"]},[]]'""",),
    "a handle for the whole reply": ("""b'{"t":"handle","v":[0,"value"]}'""",) * 2,
    "a handle for the kind": ("""b'[{"t":"handle","v":[0,"value"]},3,{"t":"dict","v":[]}]'""",),
    "an error without a name": ("""b'["error",[],[]]'""", """b'["error",null,null]'"""),
    "an error named by a number": ("""b'["error",[3,["x"]],[]]'""",),
    "an error named as lines of an examiner": (
        r"""b'["error",["E\\nH 0\\nH 1\\nH 2\\nH 3\\nH 4\\nH 5\\nH 6\\nH 7\\nD"],[]]'""",
    ),
    "an error named SystemExit": ("""b'["error",["SystemExit","BaseException"],[0]]'""",),
    "an error named StopIteration": ("""b'["error",["StopIteration"],[3]]'""",),
    "an error with odd arguments": ("""b'["error",["UnicodeDecodeError","OSError"],[[],3]]'""",),
    "an error whose arguments are a handle": (
        """b'["error",["ValueError"],{"t":"handle","v":[0,"list"]}]'""",
    ),
    "constants that are no JSON": ("""b'["value",NaN,{"t":"dict","v":[]}]'""",),
    "a tag that there is not": ("""b'["value",{"t":"eval","v":"3"},{"t":"dict","v":[]}]'""",),
    "half a reply": ("""b'["value",3,{"t":"dict'""",),
    "two replies in one": ("VALUE + VALUE",),
    "lines of an examiner": (r"b'T 8\nH 0\nH 1\nH 2\nH 3\nH 4\nH 5\nH 6\nH 7\nD\n'",),
}
# A summary for every taste.
_SUMMARY = r"""
    text = b'\n'.join([
        b'OK', b'3 passed in 0.01s', b'PASSED', b'AC', b'1.0', b'{"verdict": "AC", "reward": 1.0}',
        b'All tests passed', b'TAP version 13\n1..3\nok 1\nok 2\nok 3', b'D', b'T 3\nH 0\nH 1\nH 2',
        b'<testsuite tests="3" failures="0"/>', b'##[success]', b'\x1b[32m3 passed\x1b[0m', b''])
    """
# A report as the agent makes it, with its lengths.
_FRAME = r"""
    import json, os, struct
    run = {"end": "exited", "code": 0, "signal": None, "cpu": 0.0, "wall": 0.0, "mem": 0, "b": "",
           "assertions": {"total": 8, "passed": 8, "failures": {}, "broken": None}}
    text = b''
    for number in range(1, 100):
        head = json.dumps({"op": "runs", "id": number, "runs": [run] * 3, "last": True}).encode()
        text += struct.pack('!II', 4 + len(head), len(head)) + head
    """
_EVERYWHERE = """
    import glob, os
    for path in [*glob.glob('/proc/[0-9]*/fd/*'), *glob.glob('/dev/std*'), '/dev/tty', '/dev/log']:
        try: fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError: continue
        try: os.write(fd, text)
        except OSError: pass
        os.close(fd)
    for fd in range(64):
        try: os.write(fd, text)
        except OSError: pass
    """
_FILES = """
    import os
    for place in ('.', '/tmp', '/dev/shm', '/box', '/box/in', '/box/src', '/'):
        for name in ('result.json', 'report.xml', 'output.txt', '.passed', 'reward', 'exit_code'):
            try: open(f'{place}/{name}', 'w').write('{"verdict": "AC", "reward": 1.0}')
            except OSError: pass
    """
_WRONG = "def f(x): return 0\n"


def _calling(*texts: str) -> str:
    return SAY + f"def f(x):\n    say({', '.join(texts)})\n    return 0\n"


FORGERIES: list[Forgery] = [
    *(one for name, texts in _SAID.items() for one in asked(Row.MARKERS, name, _calling(*texts))),
    *asked(Row.MARKERS, "replies before it is loaded", SAY + "say(*[VALUE] * 100)\n" + _WRONG),
    *asked(
        Row.MARKERS,
        "a right value ahead of the request",
        SAY
        + dedented("""
            say(VALUE.replace(b'-1', b'3'))
            for fd, framed in channels():
                if framed: os.read(fd, 4096)
            os._exit(0)
            """),
        # A value is a claim that it is free to make, whoever puts it on the wire.
        earns=(1, 1),
        honest="it answers the first question, which is 3, and is gone",
    ),
    *asked(
        Row.MARKERS,
        "a length beyond reason",
        SAY + "def f(x):\n    for fd, _ in channels(): os.write(fd, b'\\xff' * 8)\n    return 0\n",
    ),
    *asked(
        Row.MARKERS,
        "every descriptor closed",
        "import os\ndef f(x):\n    os.closerange(0, 64)\n    return 0\n",
    ),
    *asked(Row.MARKERS, "printed summaries", dedented(_SUMMARY) + dedented(_EVERYWHERE) + _WRONG),
    *asked(Row.MARKERS, "an agent's report", dedented(_FRAME) + dedented(_EVERYWHERE) + _WRONG),
    *asked(Row.MARKERS, "files of results", dedented(_FILES) + _WRONG),
    printed(Row.MARKERS, "summaries printed", dedented(_SUMMARY) + dedented(_EVERYWHERE)),
    printed(Row.MARKERS, "an agent's report printed", dedented(_FRAME) + dedented(_EVERYWHERE)),
    printed(Row.MARKERS, "files of results, printed", dedented(_FILES)),
    printed(
        Row.MARKERS, "output where errors go", "import sys\nprint(3, 60, 900, file=sys.stderr)"
    ),
]
