"""The commands that pair screens."""

import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from models.clock import now
from models.db.database import Database
from resolvers.errors import RequestError
from resolvers.pairings import confirm_pairing, deny_pairing, list_pairings, shown_code
from web.cli.common import console, fail, load_settings, with_database
from web.cli.token import CONSOLE

app = typer.Typer(no_args_is_help=True, help="Screens that wait to be paired.")

Code = Annotated[str, typer.Argument(help="The code that the screen shows.")]


@app.command("list")
def list_() -> None:
    """List the codes of the screens that wait, with the addresses that they asked from."""

    async def work(database: Database) -> None:
        for each in await list_pairings(database, now()):
            sys.stdout.write(f"{shown_code(each.user_code)}  {each.address}  until {each.expires_at:%H:%M}Z\n")

    with_database(load_settings(), work)


@app.command()
def confirm(code: Code, name: Annotated[str, typer.Option(help="Name of the screen, such as its place.")]) -> None:
    """Give a screen a token of its own, for 366 days. `token list` shows it, and `token revoke` ends it."""

    async def work(database: Database) -> None:
        token = await confirm_pairing(database, code, name, CONSOLE, now())
        console.print(f"Confirmed. The screen has the token {token.id}.")

    paired(work)


@app.command()
def deny(code: Code) -> None:
    """Refuse a screen."""

    async def work(database: Database) -> None:
        await deny_pairing(database, code, now())
        console.print("Refused.")

    paired(work)


def paired(work: Callable[[Database], Awaitable[None]]) -> None:
    """Do some work with the database. Ends the command where the code or the name does not fit."""
    try:
        with_database(load_settings(), work)
    except RequestError as error:
        fail(error.reason)
