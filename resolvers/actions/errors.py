"""What an action can fail with: facts that its caller can react to. They are raised, and roll the action back."""

from typing import Any


class ActionError(Exception):
    """A failure that is part of the mutation's result, not an error."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(ActionError):
    """A row that is not there, or not the viewer's to see: `missing` is (model, key)."""

    def __init__(self, model: Any, key: int) -> None:
        super().__init__("There is no such row, or it is not yours to see.")
        self.missing = (model, key)


class Forbidden(ActionError):
    """The viewer may not do this, or not with this row."""


class InvalidInput(ActionError):
    """A field of the input that cannot be taken; `field` is its name as clients write it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class IllegalTransition(ActionError):
    """The life cycle does not lead from `current` to `wanted`; `legal` are the states that it leads to."""

    def __init__(self, current: str, wanted: str, legal: list[str]) -> None:
        ways = ", ".join(legal) or "nowhere: that is the end"
        super().__init__(f"From {current} it cannot become {wanted}; it can become {ways}.")
        self.current, self.wanted, self.legal = current, wanted, legal


class Conflict(ActionError):
    """Somebody else has changed the row meanwhile; `current` is (model, key)."""

    def __init__(self, model: Any, key: int, version: int) -> None:
        super().__init__(f"The row has changed meanwhile: it is at version {version}.")
        self.current_version, self.current = version, (model, key)


class StockExhausted(ActionError):
    """Less is available than was asked for; `item` is (model, key)."""

    def __init__(self, item: tuple[Any, int], available: int) -> None:
        super().__init__(f"Only {available} are available.")
        self.item, self.available = item, available
