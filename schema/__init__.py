"""The graph that clients see: its types, and how operations on it are executed."""

# Strawberry must know the descriptions of the enums before any field uses one of them.
from schema.types import enums  # noqa: F401
