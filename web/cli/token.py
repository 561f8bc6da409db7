"""The command that makes a bearer token."""

import datetime as dt
import sys
from typing import Annotated

import typer

from models.visibility import Role, Scope
from web.auth.tokens import Claims
from web.cli.common import demo_tokens, fail, load_settings


def token(
    role: Annotated[Role, typer.Option(help="Role of the holder.", case_sensitive=False)],
    inspector: Annotated[str | None, typer.Option(help="Badge of an inspector.")] = None,
    enterprise: Annotated[str | None, typer.Option(help="Credit code or external id of an enterprise.")] = None,
    scopes: Annotated[str | None, typer.Option(help="Scopes of a program, separated by commas.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the holder, for the log.")] = None,
    ttl: Annotated[str, typer.Option(help="Time until it expires, such as 30m, 8h or 7d.")] = "8h",
) -> None:
    """Print a bearer token, alone on the last line of standard output."""
    signing = demo_tokens(load_settings())
    if (role is Role.INSPECTOR) != (inspector is not None) or (role is Role.ENTERPRISE) != (enterprise is not None):
        fail("An inspector's token needs --inspector, an enterprise's --enterprise, and no other has either.", 2)
    try:
        allowed = frozenset(Scope(s.strip()) for s in (scopes or "").split(",") if s.strip())
        expires_at = dt.datetime.now(dt.UTC) + duration(ttl)
    except ValueError as error:
        fail(str(error), 2)
    if allowed and role is not Role.INTEGRATOR:
        fail("Scopes are for a program: --role integrator.", 2)
    subject = inspector or enterprise or name or role.value
    claims = Claims(role, expires_at, subject, name, inspector, enterprise, allowed)
    sys.stdout.write(signing.make(claims) + "\n")


def duration(text: str) -> dt.timedelta:
    """The duration that a text such as `30m`, `8h` or `7d` names. Raises ValueError."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not (number.isascii() and number.isdigit()) or not 0 < int(number) <= 100_000:
        raise ValueError(f"{text}: a time is a number with m, h or d, such as 8h")
    return dt.timedelta(**{units[unit]: int(number)})
