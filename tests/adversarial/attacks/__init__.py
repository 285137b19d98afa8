"""The hostile programs, by what they attack."""

from tests.adversarial.attacks import (
    compiling,
    files,
    forging,
    kernel,
    memory,
    output,
    processes,
    reading,
    signals,
    state,
)

_MODULES = (processes, signals, memory, files, reading, forging, kernel, output, compiling, state)

ATTACKS = [attack for module in _MODULES for attack in module.ATTACKS]
