"""Expected failures of a mutation. An action raises them; the transaction is rolled back and the client gets them."""

from typing import Any


class ActionError(Exception):
    """A failure that is part of the mutation's result rather than an error of the response."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(ActionError):
    """The row does not exist, or the viewer may not see it: `missing` is (model, key)."""

    def __init__(self, model: Any, key: int) -> None:
        super().__init__("There is no such row, or you may not see it.")
        self.missing = (model, key)


class Forbidden(ActionError):
    """The viewer may not do this, or not with this row."""


class InvalidInput(ActionError):
    """A field of the input is not acceptable; `field` is its name in the schema."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class IllegalTransition(ActionError):
    """The life cycle has no transition from `current_status` to `wanted`; `legal` are the states that can follow."""

    def __init__(self, current: str, wanted: str, legal: list[str]) -> None:
        following = f"it can become {', '.join(legal)}" if legal else "that state is final"
        super().__init__(f"From {current} it cannot become {wanted}; {following}.")
        self.current_status, self.wanted, self.legal = current, wanted, legal
        self.current = current  # the field's old name


class Conflict(ActionError):
    """Somebody else has changed the row; `current` is (model, key)."""

    def __init__(self, model: Any, key: int, version: int) -> None:
        super().__init__(f"Somebody else has changed the row: it is at version {version}.")
        self.current_version, self.current = version, (model, key)


class StockExhausted(ActionError):
    """Fewer units are available than were asked for; `item` is (model, key)."""

    def __init__(self, item: tuple[Any, int], available: int) -> None:
        super().__init__(f"Only {available} are available.")
        self.item, self.available = item, available
