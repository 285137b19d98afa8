"""Grading: what a program's runs are worth. Pure; whose fault a failure was is decided here."""
