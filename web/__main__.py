"""`python -m web`: the command line of web/cli."""

from web.cli import app

app()
