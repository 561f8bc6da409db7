"""The commands that issue, list and revoke bearer tokens."""

import datetime as dt
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.clock import now
from models.db.database import Database
from models.visibility import Role, Scope
from resolvers.errors import RequestError
from resolvers.tokens import NewToken, issue_token, list_tokens, revoke_token
from web.auth.tokens import Claims, Tokens, duration
from web.cli.common import console, fail, load_settings, with_database
from web.cli.demo_tokens import demo_tokens
from web.settings import Settings, secrets

CONSOLE = "console"  # who issues and revokes by a command
TTL = "8h"
LIST_WIDTH = 200  # characters
COLUMNS = ("id", "kind", "name", "role", "holder", "issued by", "issued", "expires", "last used", "revoked", "key")

app = typer.Typer(help="Bearer tokens of people, programs and screens.")

RoleOption = Annotated[Role | None, typer.Option("--role", help="Role of the holder.", case_sensitive=False)]
AccountOption = Annotated[str | None, typer.Option("--account", help="Name of the account it acts for.")]
InspectorOption = Annotated[str | None, typer.Option("--inspector", help="Badge of an inspector.")]
EnterpriseOption = Annotated[
    str | None, typer.Option("--enterprise", help="Credit code or external id of an enterprise.")
]
ScopesOption = Annotated[str | None, typer.Option("--scopes", help="Scopes of a program, separated by commas.")]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the holder, for the log. The badge or code is one already.")
]
TtlOption = Annotated[str, typer.Option("--ttl", help="Time until it expires, such as 30m, 8h or 7d; 366d at most.")]
DemoOption = Annotated[bool, typer.Option("--demo", help="For a demo server: it needs no name and is not listed.")]


@app.callback(invoke_without_command=True)
def token(
    context: typer.Context,
    role: RoleOption = None,
    account: AccountOption = None,
    inspector: InspectorOption = None,
    enterprise: EnterpriseOption = None,
    scopes: ScopesOption = None,
    name: NameOption = None,
    ttl: TtlOption = TTL,
    demo: DemoOption = False,
) -> None:
    """Bearer tokens of people, programs and screens. Without a command it does the same as `add`."""
    if context.invoked_subcommand is None:
        add(role, account, inspector, enterprise, scopes, name, ttl, demo)


@app.command()
def add(
    role: RoleOption = None,
    account: AccountOption = None,
    inspector: InspectorOption = None,
    enterprise: EnterpriseOption = None,
    scopes: ScopesOption = None,
    name: NameOption = None,
    ttl: TtlOption = TTL,
    demo: DemoOption = False,
) -> None:
    """Issue a token, and print it alone on the last line of standard output. It is not shown again."""
    settings = load_settings()
    try:
        new = NewToken(
            ttl=duration(ttl),
            name=name,
            account=account,
            role=role,
            inspector=inspector,
            enterprise=enterprise,
            scopes=frozenset(Scope(scope.strip()) for scope in (scopes or "").split(",") if scope.strip()),
        )
    except ValueError as error:
        fail(str(error), 2)
    check(new)
    made = demo_token(settings, new) if demo or settings.demo else issued_token(settings, new)
    sys.stdout.write(made + "\n")


def check(new: NewToken) -> None:
    """End the command where the arguments do not fit together, before any database is opened."""
    if new.account is None and new.role is None:
        fail("Give --role, or the name of an --account.", 2)
    if (new.role is Role.INSPECTOR) != (new.inspector is not None) or (
        (new.role is Role.ENTERPRISE) != (new.enterprise is not None)
    ):
        fail("An inspector's token needs --inspector, an enterprise's --enterprise, and no other has either.", 2)
    if new.scopes and new.role is not Role.INTEGRATOR:
        fail("Scopes are for a program: --role integrator.", 2)


def demo_token(settings: Settings, new: NewToken) -> str:
    """A token that only a demo server accepts. It needs no database."""
    if new.role is None:
        fail("A demo's token needs --role: it has no account.", 2)
    subject = new.inspector or new.enterprise or new.name or new.role.value
    expires_at = dt.datetime.now(dt.UTC) + new.ttl
    claims = Claims(new.role, expires_at, subject, new.name, new.inspector, new.enterprise, new.scopes)
    return demo_tokens(settings).make(claims)


def issued_token(settings: Settings, new: NewToken) -> str:
    """A token with a row, signed with the server's own secret."""
    own = secrets(settings)
    if own is None:
        fail("HUHANG_SECRET is needed: the secret of the server that shall accept the token. For a demo: --demo", 2)
    tokens, made = Tokens(own.current, *own.old), list[str]()

    async def work(database: Database) -> None:
        issued = await issue_token(database, new, tokens.key_id, CONSOLE, now())
        made.append(tokens.sign(issued.token, issued.role))

    try:
        with_database(settings, work)
    except RequestError as error:
        fail(error.reason)
    return made[0]


@app.command("list")
def list_(ended: Annotated[bool, typer.Option("--ended", help="Also those that ended.")] = False) -> None:
    """List the tokens that were issued."""
    table = Table(*COLUMNS, box=None)

    async def work(database: Database) -> None:
        for each in await list_tokens(database, now(), ended=ended):
            row = each.token
            holder = each.account or each.inspector or each.enterprise or " ".join(scope.value for scope in row.scopes)
            times = (shown(row.issued_at), shown(row.expires_at), shown(row.last_used_at), shown(row.revoked_at))
            words = (row.kind.value, row.name, each.role.value, holder, row.issued_by)
            table.add_row(str(row.id), *words, *times, row.key_id[:6])

    with_database(load_settings(), work)
    Console(file=sys.stdout, width=LIST_WIDTH).print(table)


@app.command()
def revoke(id: Annotated[int, typer.Argument(help="The token's id in the list.")]) -> None:
    """Revoke a token. What was opened with it is closed within seconds, on every server."""
    revoked = list[bool]()

    async def work(database: Database) -> None:
        revoked.append(await revoke_token(database, id, CONSOLE, now()))

    with_database(load_settings(), work)
    if not revoked[0]:
        fail("There is no such token, or it has ended already.")
    console.print("Revoked.")


def shown(time: dt.datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M}Z"
