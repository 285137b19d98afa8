"""The harness: what a CI job asks of a model's programs, or of a problem set, and reports of it."""
