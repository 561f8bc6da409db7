"""Reads a manifest of documents, which the build of a front end writes.

relay-compiler's persisted queries and the client preset's `persisted-documents.json` are objects of documents by id,
Apollo's manifest is a list of operations.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import orjson

OPERATION = re.compile(r"\b(?:query|mutation|subscription)\s+([_A-Za-z][_0-9A-Za-z]*)")


def read_manifest(path: Path) -> dict[str, str]:
    """The documents by id. Raises ValueError for a file that is no manifest."""
    try:
        content = orjson.loads(path.read_bytes())
        if isinstance(content, dict) and isinstance(content.get("operations"), list):
            content = {operation["id"]: operation["body"] for operation in content["operations"]}
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except (orjson.JSONDecodeError, TypeError, KeyError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(each, str) for pair in content.items() for each in pair):
        raise ValueError(f"{path} is not a JSON object of documents by id")
    return content


def operation_names(documents: Iterable[str]) -> set[str]:
    """The names of the operations in these documents."""
    return {name for text in documents for name in OPERATION.findall(text)}
