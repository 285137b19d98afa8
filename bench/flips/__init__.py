"""`make flips`: whether verdicts depend on how busy the machine is."""
