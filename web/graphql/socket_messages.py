"""Messages of clients in the protocol graphql-transport-ws: which of them are malformed.

The checks are those of graphql-ws, whose server closes a socket at the first such message.
"""

from typing import Any

ID_MAXIMUM = 200  # characters of an operation's id

# By kind of message, the fields of its payload that have a type, besides null.
PAYLOAD: dict[str, dict[str, type]] = {
    "connection_init": {},
    "ping": {},
    "pong": {},
    "subscribe": {"query": str, "operationName": str, "variables": dict, "extensions": dict},
    "complete": {},
}
TYPES: dict[type, str] = {str: "a string", dict: "an object"}
WITH_ID = frozenset({"subscribe", "complete"})


def fault(message: Any) -> str | None:
    """The fault of a message, for the reason of the close; None if it is well-formed."""
    if not isinstance(message, dict):
        return "it is no object"
    kind, id, payload = message.get("type"), message.get("id"), message.get("payload")
    if not isinstance(kind, str) or kind not in PAYLOAD:
        return "its `type` is not one that clients send"
    if kind in WITH_ID and not (isinstance(id, str) and 0 < len(id) <= ID_MAXIMUM):
        return f"its `id` is no string of 1 to {ID_MAXIMUM} characters"
    if payload is None and kind != "subscribe":
        return None
    if not isinstance(payload, dict):
        return "its `payload` is no object"
    for name, type in PAYLOAD[kind].items():
        if payload.get(name) is not None and not isinstance(payload[name], type):
            return f"`payload.{name}` is not {TYPES[type]}"
    if kind == "subscribe" and payload.get("query") is None and not names_document(payload):
        return "`payload.query` is missing"
    return None


def names_document(payload: dict[str, Any]) -> bool:
    """Whether a request names a document in place of sending it (web/graphql/trusted_documents.py)."""
    extensions = payload.get("extensions") or {}
    return payload.get("documentId") is not None or extensions.get("persistedQuery") is not None
