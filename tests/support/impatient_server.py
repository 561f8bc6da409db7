"""The server with other deadlines: `python -m tests.support.impatient_server serve …` is like `python -m web serve …`.

Each can be set in the environment. Keep-alive messages are frequent by default, and deadlines for clients so long that
no client misses them on a busy machine.
"""

import os

from web.graphql import close_codes, uvicorn_protocols

DEADLINES = {"INIT_SECONDS": 600.0, "PING_SECONDS": 0.4, "ALIVE_SECONDS": 600.0, "DRAIN_SECONDS": 600.0}
for name, seconds in DEADLINES.items():
    setattr(close_codes, name, float(os.environ.get(name, seconds)))
uvicorn_protocols.UNACKNOWLEDGED_MS = 600_000

if __name__ == "__main__":
    # Imported after the deadlines are set, because other modules copy them when they are imported.
    from web.cli import app

    app()
