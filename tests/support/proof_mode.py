"""How long a random test runs: briefly in `make test`, in full in `make prove`.

`make prove` sets HUHANG_PROVE to the commit that it proves.
"""

import os

COMMIT = os.environ.get("HUHANG_PROVE")
PROVING = COMMIT is not None


def examples(number: int, proof: int | None = None) -> int:
    """The number of Hypothesis examples: `number`, or in a proof `proof`, by default a hundred times as many."""
    if PROVING:
        return number * 100 if proof is None else proof
    return number
