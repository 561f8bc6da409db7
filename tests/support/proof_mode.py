"""How long a random test goes on: small in `make test`, long in `make prove`, which sets HUHANG_PROVE."""

import os

PROVING = "HUHANG_PROVE" in os.environ


def examples(number: int) -> int:
    """So many examples for Hypothesis, or a hundred times as many for a proof."""
    return number * 100 if PROVING else number
