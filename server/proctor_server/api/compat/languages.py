"""What peers call languages: each peer's names, and ours for them."""

from collections.abc import Collection, Mapping

from proctor_sandbox.languages import LANGUAGES, RUNNABLE
from proctor_server.api.services import Services

SANDBOX_FUSION = {
    "python": "python", "cpp": "cpp", "nodejs": "javascript", "go": "go", "java": "java",
    "php": "php", "csharp": "csharp", "bash": "bash", "typescript": "typescript", "sql": "sql",
    "rust": "rust", "lua": "lua", "R": "r", "perl": "perl", "ruby": "ruby", "scala": "scala",
    "julia": "julia", "verilog": "verilog", "swift": "swift", "racket": "racket",
}  # fmt: skip
# What is more than a language; left out are jest, cuda, python_gpu and lean. Its pytest is a
# program in Python: see sandbox_fusion_modes.py.
SANDBOX_FUSION_MODES = {
    "go_test": "go_test", "junit": "junit", "D_ut": "d_unittest", "kotlin_script": "kotlin_script",
    "pytest": "python",
}  # fmt: skip

E2B = {
    "python": "python", "javascript": "javascript", "js": "javascript", "typescript": "typescript",
    "ts": "typescript", "r": "r", "java": "java", "bash": "bash",
}  # fmt: skip


def here(services: Services) -> Collection[str]:
    """Languages that workers have; while nobody has told, all that there are."""
    return services.languages or LANGUAGES.keys()


def known(names: Mapping[str, str]) -> dict[str, str]:
    """Those of a peer's names whose language is here."""
    return {theirs: ours for theirs, ours in names.items() if ours in RUNNABLE}
