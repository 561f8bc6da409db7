"""Parses documents by graphql-core, without its list of tokens.

graphql-core's nodes keep the tokens of their documents, which refer to each other in both directions. Only the garbage
collector frees those, and it holds up everybody while it looks through all cached documents.
"""

from typing import Any

from graphql import DocumentNode, Lexer, Location, Source, Token, TokenKind
from graphql.language.parser import Parser, nested_too_deeply_error

from schema.execution import limits


class NodeLocation(Location):
    """The place of a node in its source."""

    __slots__ = ()

    def __init__(self, start: int, end: int, source: Source) -> None:
        self.start, self.end, self.source = start, end, source


class DocumentParser(Parser):
    """graphql-core's parser, whose nodes know their places and no tokens."""

    def loc(self, start_token: Token) -> Location:
        return NodeLocation(start_token.start, self._lexer.last_token.end, self._lexer.source)


def parse_document(text: str) -> DocumentNode:
    """The document. Raises GraphQLError where there is none, or where it has more tokens than may be."""
    parser = DocumentParser(text, max_tokens=limits.TOKENS_MAXIMUM)
    first = parser._lexer.token
    try:
        return parser.parse_document()
    except RecursionError:
        pass
    finally:
        unlink(first)
    raise nested_too_deeply_error(parser)


def tokens_of(source: Source) -> list[Token]:
    """The tokens of a document that was parsed, without comments."""
    lexer = Lexer(source)
    first, tokens = lexer.token, []
    while (token := lexer.advance()).kind is not TokenKind.EOF:
        tokens.append(token)
    unlink(first)
    return tokens


def unlink(first: Token) -> None:
    """Take a list of tokens apart."""
    token: Any = first
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following
