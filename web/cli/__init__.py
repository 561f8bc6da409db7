"""The command line: `python -m web`. Each module has one command, or two that belong together."""

import typer

from web.cli.access import access
from web.cli.account import account
from web.cli.collect import collect
from web.cli.migrate import migrate
from web.cli.register import export, import_
from web.cli.schema import schema
from web.cli.screen import app as screen
from web.cli.seed import demo
from web.cli.serve import serve
from web.cli.simulate import simulate
from web.cli.token import app as token

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show the values of variables
    help="Huhang: one graph of everything that an emergency bureau protects.",
)
app.command()(serve)
app.command()(migrate)
app.command()(simulate)
app.command("import")(import_)
app.command()(export)
app.command()(collect)
app.command()(schema)

app.add_typer(access, name="access")
app.add_typer(account, name="account")

seed = typer.Typer(no_args_is_help=True, help="Fill an empty database.")
seed.command()(demo)
app.add_typer(seed, name="seed")
app.add_typer(token, name="token")
app.add_typer(screen, name="screen")
