"""What peers call languages: each peer's names, and ours for them."""

from collections.abc import Collection, Mapping

from proctor_sandbox.languages import LANGUAGES
from proctor_server.api.services import Services

# Left out are modes that are more than a language: those that also run tests (go_test, pytest,
# junit, jest, D_ut, where a plain run would find no fault), and cuda, lean and kotlin_script.
SANDBOX_FUSION = {
    "python": "python", "cpp": "cpp", "nodejs": "javascript", "go": "go", "java": "java",
    "php": "php", "csharp": "csharp", "bash": "bash", "typescript": "typescript", "sql": "sql",
    "rust": "rust", "lua": "lua", "R": "r", "perl": "perl", "ruby": "ruby", "scala": "scala",
    "julia": "julia", "verilog": "verilog", "swift": "swift", "racket": "racket",
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
    return {theirs: ours for theirs, ours in names.items() if ours in LANGUAGES}
