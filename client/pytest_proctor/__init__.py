"""Proctor's pytest plug-in."""
