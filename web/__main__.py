"""`python -m web`: the command line of web/cli."""

import gc
import os

from web.cli import app

os.umask(0o077)  # whatever it writes is for its own user: the database, evidence, exports
# Imports make some hundred thousand objects that stay. Looking through them for garbage again and again takes a quarter
# of the time that the server needs to start; it sets thresholds of its own then.
gc.set_threshold(100_000)
app()
