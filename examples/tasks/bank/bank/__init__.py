"""An account with errors of its own."""

from bank.account import Account
from bank.errors import Overdrawn

__all__ = ["Account", "Overdrawn"]
