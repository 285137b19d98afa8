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

ATTACKS = [
    attack
    for module in (
        processes,
        signals,
        memory,
        files,
        reading,
        forging,
        kernel,
        output,
        compiling,
        state,
    )
    for attack in module.ATTACKS
]
