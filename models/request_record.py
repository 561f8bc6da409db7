"""The request under way: its id, and what is logged about it."""

import itertools
import re
import secrets
from contextvars import ContextVar
from typing import Any

VALID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# A counter behind a random prefix takes a tenth of the time of a random id.
PREFIX, NUMBERS = secrets.token_hex(8).encode(), itertools.count(1)


class RequestRecord:
    """One request or WebSocket, in its tasks.

    Where requests are `logged`, it has `facts`, which its line in the log says of it, and the `status` of its response
    once that began. `single` says that it has one operation at most, whose facts are the request's.
    """

    __slots__ = ("facts", "logged", "raw_id", "single", "status")

    def __init__(self, given: bytes | None, *, logged: bool, single: bool) -> None:
        """`given` is the id that a proxy or client has given: another one is made where that is not valid."""
        self.raw_id = given if given is not None and VALID.fullmatch(given) else b"%b-%d" % (PREFIX, next(NUMBERS))
        self.logged, self.single = logged, single
        if logged:
            self.status: int | None = None
            self.facts: dict[str, Any] = {}

    @property
    def id(self) -> str:
        return self.raw_id.decode("ascii")


CURRENT: ContextVar[RequestRecord | None] = ContextVar("request", default=None)


def logged_request() -> RequestRecord | None:
    """The request under way, if requests are logged."""
    record = CURRENT.get()
    return record if record is not None and record.logged else None
