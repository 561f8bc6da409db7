"""The bounds of streams, the protocol of sockets, and the codes that close them.

Clients rely on the codes: docs/reference/live.md.
"""

from dataclasses import dataclass

from models.reason import Reason

WAITING_MESSAGES, WAITING_BYTES = 256, 1 << 20  # live messages that may wait for one client
DRAIN_SECONDS = 10.0  # the reader of a replay must take something within this time
INIT_SECONDS = 10.0
PING_SECONDS = 12.0  # between keep-alive messages, which carry a cursor
ALIVE_SECONDS = 10.0  # between pings of RFC 6455, and for each pong: a dead peer is gone after twice that
OPERATIONS_MAXIMUM = 100  # that run at once on one connection

TOO_MANY_OPERATIONS = Reason("OPERATIONS_AT_ONCE", "At most {maximum} operations at once.", maximum=OPERATIONS_MAXIMUM)


@dataclass(frozen=True)
class Close:
    """A close code (RFC 6455, section 7.4) and its reason."""

    code: int
    reason: str


PROTOCOL = "graphql-transport-ws"

# Codes of this protocol.
BAD_MESSAGE = Close(4400, "Invalid message")
UNAUTHORIZED = Close(4401, "Unauthorized")
EXISTS = Close(4409, "Subscriber already exists")
FORBIDDEN = Close(4403, "Forbidden: the token is invalid, or its holder is no longer in the register")
BAD_PROTOCOL = Close(4406, f"Subprotocol not acceptable: use {PROTOCOL}")
INIT_TIMEOUT = Close(4408, "Connection initialisation timeout")
INIT_AGAIN = Close(4429, "Too many initialisation requests")
FAILED = Close(4500, "Internal server error")
# Codes of RFC 6455.
ENDING = Close(1012, "")  # the server stops; uvicorn sends this one
AWAY = Close(1013, "UNAVAILABLE: the database cannot be used now, try again later")
# Codes of Huhang.
TOO_SLOW = Close(4410, "Too slow: more than 256 messages or 1 MiB wait. Resume after the last cursor")
TOO_MANY = Close(4412, "Too many sockets and streams at once: close others first")
EXPIRED = Close(4411, "The token has expired: reconnect with a new one, after the last cursor")


def bad_message(fault: str) -> Close:
    """For a message that the protocol does not define; `fault` says why."""
    return Close(BAD_MESSAGE.code, f"{BAD_MESSAGE.reason}: {fault}")
