"""How long a random test runs: briefly in `make test`, in full in `make prove`.

`make prove` sets HUHANG_PROVE to the commit that it proves.
"""

import os

COMMIT = os.environ.get("HUHANG_PROVE")
PROVING = COMMIT is not None


def examples(number: int) -> int:
    """The number of Hypothesis examples: `number`, or a hundred times as many in a proof."""
    return number * 100 if PROVING else number
