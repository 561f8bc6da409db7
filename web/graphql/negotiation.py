"""Media types of requests and responses."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeVar

from babel.core import negotiate_locale

from models.reason import Language

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENTS, PARTS = "text/event-stream", "multipart/mixed"

LANGUAGES_MAXIMUM = 20  # of one header
CACHED_HEADERS, CACHED_LENGTH = 1_000, 500  # results of each function; bytes of a header
T = TypeVar("T")


class Accepted(NamedTuple):
    """The media types of a single response and of a stream; `stream` is None where the client takes no stream.

    A client that takes nothing but a stream gets a single response as one.
    """

    media: str
    stream: str | None


def cached(parse: Callable[[bytes | None], T]) -> Callable[[bytes | None], T]:
    """The function of a header, which remembers its results for short headers."""
    remembered = lru_cache(maxsize=CACHED_HEADERS)(parse)

    def lookup(header: bytes | None) -> T:
        return remembered(header) if header is None or len(header) <= CACHED_LENGTH else parse(header)

    return lookup


@cached
def negotiate(accept: bytes | None) -> Accepted | None:
    """The media types that an Accept header allows; None where it allows none of Huhang's."""
    header = None if accept is None else accept.decode("latin-1")
    weights = media_weights(header or "")
    offered = [media for media in (EVENTS, PARTS) if weights.get(media, 0.0) > 0]
    stream = max(offered, key=weights.__getitem__, default=None)
    media = accepted(header) or stream
    return None if media is None else Accepted(media, stream)


def media_weights(header: str) -> dict[str, float]:
    """The media ranges of an Accept header (RFC 9110, section 12.5.1) with their weights; 0 refuses one."""
    weights: dict[str, float] = {}
    for entry in header.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        weights[name] = weight(parameters)
    return weights


def accepted(header: str | None) -> str | None:
    """The media type of a single response, or None if the client takes neither; without a header plain JSON."""
    if not header:
        return JSON
    weights = media_weights(header)

    def preference(media: str) -> float:
        # A type by its name counts before a range that contains it.
        return next((weights[name] for name in (media, "application/*", "*/*") if name in weights), 0.0)

    # Of two with equal weight, the one named first; plain JSON if neither is named, since the client may not know the
    # other.
    named = [name for name in weights if name in (JSON, GRAPHQL)]
    best = max([*named, JSON, GRAPHQL], key=preference)
    return best if preference(best) > 0 else None


def weight(parameters: list[str]) -> float:
    """The q among a media range's parameters, from 0 to 1; a malformed one counts as 0."""
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                q = float(parameter[2:])
            except ValueError:
                return 0.0
            return min(q, 1.0) if q > 0 else 0.0
    return 1.0


@cached
def takes_events(accept: bytes | None) -> bool:
    """Whether an Accept header allows server-sent events."""
    if not accept:
        return True
    weights = media_weights(accept.decode("latin-1"))
    return next((weights[name] for name in (EVENTS, "text/*", "*/*") if name in weights), 0.0) > 0


@cached
def language(accept_language: bytes | None) -> Language:
    """The language of messages that an Accept-Language header (RFC 9110, section 12.5.4) prefers, or English."""
    weights: dict[str, float] = {}
    for entry in (accept_language or b"").decode("latin-1").split(",")[:LANGUAGES_MAXIMUM]:
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        weights[name] = weight(parameters)
    preferred = sorted((name for name in weights if weights[name] > 0), key=lambda name: -weights[name])
    return Language(negotiate_locale(preferred, [one.value for one in Language], sep="-") or Language.ENGLISH.value)


@cached
def is_json(content_type: bytes | None) -> bool:
    """Whether a body with this Content-Type is JSON in UTF-8."""
    name, *parameters = (part.strip().lower() for part in (content_type or b"").decode("latin-1").split(";"))
    charsets = {p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")}
    return name == JSON and charsets <= {"utf-8", "utf8"}
