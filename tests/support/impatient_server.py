"""The server with short waits: `python -m tests.support.impatient_server serve …` is as `python -m web serve …`."""

import os

from web.graphql import close_codes

# As the environment has them, or short.
SECONDS = {"INIT_SECONDS": 2.0, "PING_SECONDS": 0.4, "ALIVE_SECONDS": 1.0, "DRAIN_SECONDS": 1.0}
for name, seconds in SECONDS.items():
    setattr(close_codes, name, float(os.environ.get(name, seconds)))

if __name__ == "__main__":
    # After the waits are set: other modules take them over as they are imported.
    from web.cli import app

    app()
