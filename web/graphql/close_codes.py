"""The bounds of streams, and how sockets are closed. docs/reference/live.md promises the codes to clients."""

from dataclasses import dataclass

WAITING_MESSAGES, WAITING_BYTES = 256, 1 << 20  # for one client, of what is live
DRAIN_SECONDS = 10.0  # for the reader of a replay to make room
INIT_SECONDS = 10.0
PING_SECONDS = 12.0  # between signs of life that carry a cursor
ALIVE_SECONDS = 10.0  # between pings of WebSockets, and for their pongs: a dead peer is gone after twice that
OPERATIONS_MAXIMUM = 100  # at once on one connection
ID_MAXIMUM = 200  # characters of an operation's id


@dataclass(frozen=True)
class Close:
    """A code of RFC 6455, section 7.4, and why."""

    code: int
    reason: str


# Those of graphql-transport-ws.
BAD_MESSAGE = Close(4400, "Invalid message")
UNAUTHORIZED = Close(4401, "Unauthorized")
EXISTS = Close(4409, "Subscriber already exists")
FORBIDDEN = Close(4403, "Forbidden: the token is not of this server, or its holder is gone")
BAD_PROTOCOL = Close(4406, "Subprotocol not acceptable: graphql-transport-ws is")
INIT_TIMEOUT = Close(4408, "Connection initialisation timeout")
INIT_AGAIN = Close(4429, "Too many initialisation requests")
FAILED = Close(4500, "Internal server error")
# Those of RFC 6455.
ENDING = Close(1012, "")  # the server ends; uvicorn's own
AWAY = Close(1013, "The database does not answer: come back in a while")
# Huhang's own.
TOO_SLOW = Close(4410, "Too slow: more than 256 messages or 1 MiB wait. Resume after the last cursor")
EXPIRED = Close(4411, "The token has ended: come back with another, after the last cursor")
