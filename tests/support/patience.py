"""How long tests wait for what must happen.

The time only ends a hang. It is far longer than any step takes on the busiest machine, so no verdict depends on it.
"""

PATIENCE = 180.0  # seconds
