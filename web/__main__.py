"""`python -m web`: the command line of web/cli."""

import gc
import os

# Imports make some hundred thousand objects that stay. Looking through them for garbage would take a fifth of the time
# that the server needs to start. The command line turns it on again when it has the command.
gc.disable()

from web.cli import app  # noqa: E402  # only now, for the reason above

os.umask(0o077)  # whatever it writes is for its own user: the database, evidence, exports
app()
