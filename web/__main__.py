"""`python -m web`: the command line of web/cli."""

import os

from models.private_files import make_private
from web.cli import app
from web.settings import VAR

os.umask(0o077)  # whatever it writes is for its own user: the database, evidence, exports
make_private(VAR)
app()
