"""Every mode: a source whose tests hold ends with 0, one whose tests don't with something else."""

import pytest

from proctor_sandbox.languages.modes import MODES
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.pool import Pool
from proctor_sandbox.programs import End, Program, Run, StdinCase, Work
from proctor_sandbox.seam import Backend
from tests.conftest import missing

BACKENDS = ("docker-runc", "bubblewrap")
LIMITS = Limits.for_cpu(20.0, memory_bytes=512 * MIB)
# Each holds where WANTED is 2.
SOURCES = {
    "go_test": """package sums
import ("testing"; "github.com/stretchr/testify/assert")
func add(a int, b int) int { return a + b }
func TestAdd(t *testing.T) { assert.Equal(t, WANTED, add(1, 1)) }
""",
    "junit": """import static org.junit.jupiter.api.Assertions.assertEquals;
import org.junit.jupiter.api.Test;
public class Main {
    static int add(int a, int b) { return a + b; }
    @Test void adds() { assertEquals(WANTED, add(1, 1)); }
}
""",
    "d_unittest": """int add(int a, int b) { return a + b; }
unittest { assert(add(1, 1) == WANTED); }
""",
    "kotlin_script": """fun add(a: Int, b: Int) = a + b
check(add(1, 1) == WANTED) { "no" }
println("held")
""",
}


@pytest.mark.parametrize("mode", [mode.name for mode in MODES])
def test_the_exit_status_says_whether_all_holds(mode: str, backend: Backend, pool: Pool) -> None:
    image = backend.languages().get(mode)
    if image is None:
        missing(f"no {mode} here: make images, PROCTOR_ALL_LANGUAGES=1 scripts/packages")
    works = [
        Work(Program(mode, SOURCES[mode].replace("WANTED", wanted)), [StdinCase(b"")], LIMITS)
        for wanted in ("2", "3")
    ]
    sandbox = pool.lease(image)
    try:
        held, failed = [report.runs[0] for report in sandbox.execute(works)]
    finally:
        pool.discard(sandbox, "used by a test")
    assert (held.end, held.exit_code) == (End.EXITED, 0), told(held)
    assert failed.end is End.EXITED or failed.signal, told(failed)
    assert failed.exit_code != 0, told(failed)


def told(run: Run) -> str:
    return (run.stdout[-2000:] + run.stderr[-2000:]).decode(errors="replace")
