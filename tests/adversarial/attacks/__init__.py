"""The hostile programs, by what they attack."""

from tests.adversarial.attacks import (
    compiling,
    files,
    kernel,
    memory,
    output,
    processes,
    reading,
    state,
)

ATTACKS = [
    attack
    for module in (processes, memory, files, reading, kernel, output, compiling, state)
    for attack in module.ATTACKS
]
