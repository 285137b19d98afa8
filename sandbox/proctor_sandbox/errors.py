"""What can go wrong with a sandbox. None of it is ever the program's doing.

SandboxError
├── SandboxUnavailable    no sandbox can be had from this backend
├── SandboxLost           a sandbox died or spoke nonsense while in use
└── LanguageUnavailable   the backend has no toolchain for the language
"""


class SandboxError(Exception):
    """Base of every failure that is ours and not the program's."""


class SandboxUnavailable(SandboxError):
    """Raised when a backend cannot start a sandbox: no engine, no image, no bubblewrap."""


class SandboxLost(SandboxError):
    """Raised when a sandbox ends, stalls or breaks the protocol while it is in use."""


class LanguageUnavailable(SandboxError):
    """Raised when a backend is asked for a language that its images do not hold."""
