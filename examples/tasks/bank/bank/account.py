from bank.errors import Overdrawn


class Account:
    def __init__(self, balance: int = 0) -> None:
        self.balance = balance

    def draw(self, amount: int) -> int:
        if amount > self.balance:
            raise Overdrawn(f"{amount} of {self.balance}")
        self.balance -= amount
        return self.balance
