"""The commands that manage people's accounts, for whoever has the server's console."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import sqlalchemy as sa
import typer

from models import Account
from models.clock import now
from models.db.database import Database
from models.reason import Reason
from models.visibility import Role
from resolvers.accounts.audit import CONSOLE
from resolvers.accounts.records import (
    AccountRole,
    Changes,
    NewAccount,
    any_account,
    change_account,
    check_full_name,
    find_account_by_name,
    fold_name,
    list_accounts,
)
from resolvers.errors import ErrorCode, RequestError
from web.auth.cipher import Cipher
from web.auth.keys import Purpose
from web.auth.passwords import Passwords
from web.auth.sign_in import PasswordSignIn, new_setup_key
from web.cli.common import UNREACHABLE, console, fail, load_settings, with_database
from web.logging import configure
from web.settings import Settings, secrets

SETUP_SECONDS = 5  # for the database to tell whether there are accounts

account = typer.Typer(no_args_is_help=True, help="Manage the accounts of people.")

Name = Annotated[str, typer.Argument(help="Name that the person signs in with.")]


@account.command()
def add(
    name: Annotated[str, typer.Option(help="Name that the person signs in with.")],
    role: Annotated[Role, typer.Option(help="Role of the person.", case_sensitive=False)],
    full_name: Annotated[str | None, typer.Option(help="The person's own name; without it the name again.")] = None,
    inspector: Annotated[str | None, typer.Option(help="Badge of an inspector.")] = None,
    enterprise: Annotated[str | None, typer.Option(help="Credit code or external id of an enterprise.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
    one_time: Annotated[bool, typer.Option("--one-time", help="Print a one-time password; do not ask.")] = False,
) -> None:
    """Make an account. Asks for its password, unless an option says otherwise."""
    password = None if one_time else read_password(from_pipe=password_stdin)

    async def work(database: Database, sign_in: PasswordSignIn) -> None:
        new = NewAccount(
            name=fold_name(name),
            full_name=check_full_name(full_name or name),
            role=AccountRole(kind=role, inspector=inspector, enterprise=enterprise),
        )
        _, printed = await sign_in.create(new, password, CONSOLE)
        console.print(f"Made the account {new.name}.", markup=False, highlight=False)
        print_one_time(printed)

    run(work)


@account.command("list")
def list_() -> None:
    """List the accounts: name, role, badge or code, and whether they are disabled."""

    async def work(database: Database, sign_in: PasswordSignIn) -> None:
        for each in await list_accounts(database):
            row = each.account
            words = [row.name, row.role.name, each.inspector or each.enterprise or ""]
            words += ["TOTP"] if row.totp_confirmed_at is not None else []
            words += ["disabled"] if row.disabled_at is not None else []
            sys.stdout.write("\t".join(words) + "\n")

    run(work)


@account.command()
def disable(name: Name) -> None:
    """Disable an account. The person is signed out everywhere."""
    run(lambda database, sign_in: set_disabled(database, name, disabled=True))


@account.command()
def enable(name: Name) -> None:
    """Enable an account that was disabled."""
    run(lambda database, sign_in: set_disabled(database, name, disabled=False))


@account.command()
def reset(name: Name) -> None:
    """Print a one-time password for an account, and remove its TOTP. The person is signed out everywhere."""

    async def work(database: Database, sign_in: PasswordSignIn) -> None:
        row = await account_called(database, name)
        print_one_time(await sign_in.reset(row.id, CONSOLE))

    run(work)


@account.command()
def password(
    name: Name,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
) -> None:
    """Set a password. The person is signed out everywhere."""
    chosen = read_password(from_pipe=password_stdin)

    async def work(database: Database, sign_in: PasswordSignIn) -> None:
        await sign_in.set_password(await account_called(database, name), chosen, CONSOLE)
        console.print("Set the password.")

    run(work)


def run(work: Callable[[Database, PasswordSignIn], Awaitable[None]]) -> None:
    """Do some work with accounts. Ends the command with the reason when it is refused."""
    settings = load_settings()
    configure("warning")  # the command itself says what it did

    async def with_sign_in(database: Database) -> None:
        passwords = Passwords()
        try:
            # No command reads or writes what is encrypted, so none needs the server's secret.
            await work(database, PasswordSignIn(database, passwords, Cipher([os.urandom(32)]), now))
        finally:
            passwords.close()

    try:
        with_database(settings, with_sign_in)
    except RequestError as error:
        fail(error.reason)
    except sa.exc.DBAPIError:
        fail("The database is not migrated: python -m web migrate")


async def account_called(database: Database, name: str) -> Account:
    """Raises RequestError for a name that no account has."""
    row = await find_account_by_name(database, fold_name(name))
    if row is None:
        raise RequestError(
            ErrorCode.NOT_FOUND, Reason("ACCOUNT_NAME_UNKNOWN", "No account is called {name}.", name=name)
        )
    return row


async def set_disabled(database: Database, name: str, *, disabled: bool) -> None:
    row = await account_called(database, name)
    await change_account(database, row.id, Changes(disabled=disabled), CONSOLE, now())
    console.print("Disabled." if disabled else "Enabled.")


def read_password(*, from_pipe: bool) -> str:
    if from_pipe:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        fail("There is nobody to ask for a password: --password-stdin reads it from a pipe.", 2)
    asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return asked


def print_one_time(password: str | None) -> None:
    """Print a one-time password, alone on the last line of standard output."""
    if password is not None:
        console.print("The one-time password, to be changed at the first sign-in:")
        sys.stdout.write(password + "\n")


async def setup_key(settings: Settings) -> str | None:
    """The key of the one-time address for the first account; None where there is one, or no database that tells."""
    own = secrets(settings)
    if own is None:
        return None
    try:
        async with asyncio.timeout(SETUP_SECONDS):
            database = Database(settings.database_url, pool_size=settings.pool_size)
            try:
                known = await any_account(database)
            finally:
                await database.close()
    except (*UNREACHABLE, TimeoutError):  # it is away, or not migrated
        return None
    return None if known else new_setup_key(Cipher(own.keys(Purpose.ACCOUNTS)), now())
