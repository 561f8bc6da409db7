"""Trusted documents: those of a manifest run by their ids, and where the operator wants it, nothing else does.

Automatic persisted queries are refused with the error at which Apollo and urql send whole documents from then on: a
store that every client may fill needs bounds for each, and would save what a manifest saves without one. A hash that is
an id of the manifest runs, because Apollo sends the ids of its manifest in that place.
"""

from collections.abc import Mapping
from typing import Any

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from schema.execution.errors import InvalidOperation, coded_error
from web.graphql.manifests import operation_names

SHA256 = "sha256:"  # may stand before an id that is a hash, by the appendix on persisted documents of GraphQL over HTTP

# The message that Apollo and urql look for, in any language.
NOT_SUPPORTED = Reason("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
ONLY_TRUSTED = Reason("DOCUMENT_UNTRUSTED", "This server runs trusted documents only: send a `documentId`.")


def refusal(code: ErrorCode, reason: Reason) -> InvalidOperation:
    return InvalidOperation(code, [coded_error(code, reason)])


class TrustedDocuments:
    """The documents by id. With `only`, no other document runs."""

    def __init__(self, documents: Mapping[str, str] | None = None, *, only: bool = False) -> None:
        self._documents = {id.removeprefix(SHA256): text for id, text in (documents or {}).items()}
        self._texts = frozenset(self._documents.values()) if only else None

    @property
    def names(self) -> set[str]:
        """The names of all operations."""
        return operation_names(self._documents.values())

    def text(self, parameters: Mapping[str, Any]) -> str:
        """The document of a request. Raises RequestError."""
        query, id = parameters.get("query"), parameters.get("documentId")
        extensions = parameters.get("extensions")
        persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
        if query is None and id is not None:
            return self._by_id(id)
        if query is None and isinstance(persisted, dict):
            hash = persisted.get("sha256Hash")
            if not isinstance(hash, str) or hash not in self._documents:
                raise refusal(ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED, NOT_SUPPORTED)
            return self._documents[hash]
        if not isinstance(query, str):
            raise RequestError(
                ErrorCode.BAD_REQUEST, Reason("QUERY_MISSING", "`query` must be there, as a string, or `documentId`.")
            )
        if id is not None:
            raise RequestError(
                ErrorCode.BAD_REQUEST, Reason("QUERY_AND_DOCUMENT_ID", "Send `query` or `documentId`, not both.")
            )
        if self._texts is not None and query not in self._texts:
            raise refusal(ErrorCode.UNTRUSTED_DOCUMENT, ONLY_TRUSTED)
        return query

    def _by_id(self, id: Any) -> str:
        if not isinstance(id, str):
            raise RequestError(ErrorCode.BAD_REQUEST, Reason("DOCUMENT_ID_TYPE", "`documentId` must be a string."))
        text = self._documents.get(id.removeprefix(SHA256))
        if text is None:
            raise refusal(
                ErrorCode.UNKNOWN_DOCUMENT,
                Reason("DOCUMENT_ID_UNKNOWN", "The server knows no document with this `documentId`."),
            )
        return text
