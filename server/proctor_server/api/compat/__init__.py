"""Wire formats of others, a router each: requests in their shape become ours, results theirs.

docs/wire-formats.md says how each one's client is pointed here. Conversions are pure functions.
"""
