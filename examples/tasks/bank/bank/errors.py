class Overdrawn(ValueError):
    """Raised when more is drawn than is there."""
