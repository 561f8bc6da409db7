"""The command that exports who read enterprises' personal data."""

import datetime as dt
import enum
import sys
from typing import Annotated

import typer

from models.db.database import Database
from resolvers import access_log, geography
from web.cli.common import console, fail, load_settings, with_database

access = typer.Typer(no_args_is_help=True, help="Who read enterprises' contacts, cameras and evidence.")


@access.callback()
def accesses() -> None:
    """Who read enterprises' contacts, cameras and evidence."""


class Form(enum.Enum):
    """The form of an export."""

    CSV = "csv"
    JSONL = "jsonl"


@access.command()
def export(
    start: Annotated[str | None, typer.Option("--from", help="First day, such as 2026-06-01; by default all.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day; by default up to now.")] = None,
    form: Annotated[Form, typer.Option("--format", help="CSV, or a JSON object a line.")] = Form.CSV,
) -> None:
    """Write the access log to standard output, oldest first. Enterprises are named by their codes."""
    first, last = day(start), day(end)

    async def work(database: Database) -> None:
        zone = await geography.time_zone(database) or geography.DEFAULT_ZONE

        def midnight(of: dt.date | None, days: int) -> dt.datetime | None:
            moment = None if of is None else dt.datetime.combine(of + dt.timedelta(days), dt.time(), zone)
            return None if moment is None else moment.astimezone(dt.UTC)

        bounds = midnight(first, 0), midnight(last, 1)
        number = await access_log.export(database, *bounds, sys.stdout, lines_of_json=form is Form.JSONL)
        console.print(f"{number:,} accesses.")

    with_database(load_settings(), work)


def day(text: str | None) -> dt.date | None:
    """Ends the command for a text that is no day."""
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        fail(f"{text} is not a day such as 2026-06-01.", 2)
