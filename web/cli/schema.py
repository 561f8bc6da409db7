"""The command that prints the schema."""

import sys

from schema.build import build


def schema() -> None:
    """The schema in SDL, on standard output."""
    sys.stdout.write(build().as_str() + "\n")
