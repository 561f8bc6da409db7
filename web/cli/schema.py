"""The command that prints the schema."""

import sys

from schema.build import build


def schema() -> None:
    """Print the schema in SDL on standard output."""
    sys.stdout.write(build().as_str() + "\n")
