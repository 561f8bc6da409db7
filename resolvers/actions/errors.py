"""Expected failures of a mutation. An action raises them; the transaction is rolled back and the client gets them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from models.reason import Reason


class ActionError(Exception):
    """A failure that is part of the mutation's result rather than an error of the response."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class NotFound(ActionError):
    """The row does not exist, or the viewer may not see it: `missing` is (model, key)."""

    def __init__(self, model: Any, key: int) -> None:
        super().__init__(Reason("ROW_UNKNOWN", "There is no such row, or you may not see it."))
        self.missing = (model, key)


class Forbidden(ActionError):
    """The viewer may not do this, or not with this row."""


class InputError(NamedTuple):
    """A problem of one field of the input.

    `field` is its path in the schema; items of lists count from 0, as in `findings.1.deadline`.
    """

    field: str
    reason: Reason


class InvalidInput(ActionError):
    """Fields of the input are not acceptable; there is at least one error."""

    def __init__(self, field: str, reason: Reason, *others: InputError) -> None:
        super().__init__(reason)
        self.errors = (InputError(field, reason), *others)

    @classmethod
    def of(cls, errors: Sequence[InputError]) -> "InvalidInput":
        first, *others = errors
        return cls(*first, *others)


class IllegalTransition(ActionError):
    """The life cycle has no transition from `current_status` to `wanted`; `legal` are the states that can follow."""

    def __init__(self, current: str, wanted: str, legal: list[str]) -> None:
        super().__init__(
            Reason(
                "TRANSITION_ILLEGAL",
                "From {current} it cannot become {wanted}; it can become {legal}.",
                current=current,
                wanted=wanted,
                legal=legal,
            )
            if legal
            else Reason(
                "STATUS_FINAL",
                "From {current} it cannot become {wanted}; that state is final.",
                current=current,
                wanted=wanted,
            )
        )
        self.current_status, self.wanted, self.legal = current, wanted, legal
        self.current = current  # the field's old name


class Conflict(ActionError):
    """Somebody else has changed the row; `current` is (model, key)."""

    def __init__(self, model: Any, key: int, version: int) -> None:
        super().__init__(
            Reason("VERSION_OLD", "Somebody else has changed the row: it is at version {version}.", version=version)
        )
        self.current_version, self.current = version, (model, key)


class StockExhausted(ActionError):
    """Fewer units are available than were asked for; `item` is (model, key)."""

    def __init__(self, item: tuple[Any, int], available: int) -> None:
        super().__init__(Reason("STOCK_EXHAUSTED", "Only {available} are available.", available=available))
        self.item, self.available = item, available
