"""The server with short waits: `python -m tests.web.hurried serve …` is as `python -m web serve …`."""

import os

from web import closing

closing.INIT_SECONDS = 0.5
closing.PING_SECONDS = 0.4
closing.ALIVE_SECONDS = float(os.environ.get("ALIVE_SECONDS", "1"))
closing.DRAIN_SECONDS = 1.0

if __name__ == "__main__":
    # After the waits are set: other modules take them over as they are imported.
    from web.__main__ import app

    app()
