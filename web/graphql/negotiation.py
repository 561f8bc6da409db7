"""Media types of requests and responses."""

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"


def is_json(content_type: str) -> bool:
    """Whether a body with this header is JSON, in UTF-8."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = {p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")}
    return name == JSON and charsets <= {"utf-8", "utf8"}


def accepted(header: str | None) -> str | None:
    """The media type to answer with, or None if the client takes neither; without a header plain JSON."""
    if not header:
        return JSON
    weights: dict[str, float] = {}
    for entry in header.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        weights[name] = weight(parameters)

    def wanted(media: str) -> float:
        # A type by its name counts before a range that holds it.
        return next((weights[name] for name in (media, "application/*", "*/*") if name in weights), 0.0)

    # Of two wanted alike, the one named first; plain JSON for who names none, since it may not know the other.
    named = [name for name in weights if name in (JSON, GRAPHQL)]
    best = max([*named, JSON, GRAPHQL], key=wanted)
    return best if wanted(best) > 0 else None


def weight(parameters: list[str]) -> float:
    """The q among a media range's parameters, from 0 to 1; a wrong one counts as a refusal."""
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                given = float(parameter[2:])
            except ValueError:
                return 0.0
            return min(given, 1.0) if given > 0 else 0.0
    return 1.0
