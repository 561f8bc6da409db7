"""The command line: `python -m web`. Each module has one command, or several that belong together.

The module of a command is imported when the command is called, because each needs other libraries, which take a second
or more to import together. A test says which ones each may import (tests/web/cli/test_imports.py).
"""

import gc
import importlib
from typing import Any

import typer
from typer.core import TyperGroup

# The function or group of each command, and what the list of commands says about it.
COMMANDS = {
    "serve": ("serve:serve", "Serve the graph."),
    "migrate": ("migrate:migrate", "Bring the database up to date. Safe to run twice, also by two processes at once."),
    "simulate": ("simulate:simulate", "Simulate working days through the public API. Ctrl-C stops it."),
    "import": ("register:import_", "Import a register from CSV files, spreadsheets or GeoJSON files. Safe to repeat."),
    "export": (
        "register:export",
        "Export the register as CSV files and a map, with the mapping that imports them again.",
    ),
    "collect": (
        "collect:collect",
        "Remove unused evidence and old idempotency keys. Refuses a store of another database.",
    ),
    "backup": ("backup:backup", "Back up the database and the evidence while the servers run."),
    "restore": (
        "backup:restore",
        "Restore a backup while no server runs. Refuses a database that is not empty, unless --replace is given.",
    ),
    "doctor": ("doctor:doctor", "Look whether a server with these settings can work, and say what to do."),
    "schema": ("schema:schema", "Print the schema in SDL on standard output."),
    "access": ("access:access", "Who read enterprises' contacts, cameras and evidence."),
    "account": ("account:account", "Manage the accounts of people."),
    "seed": ("seed:app", "Fill an empty database."),
    "token": ("token:app", "Bearer tokens of people, programs and screens."),
    "portraits": ("portraits:app", "Check or rebuild the sums and sets from which portraits are read."),
    "screen": ("screen:app", "Screens that wait to be paired."),
}


def load(name: str) -> Any:
    """Import a command. Returns what typer makes of its function or group."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(importlib.import_module(f"web.cli.{module}"), attribute)
    parent = typer.Typer()
    if isinstance(command, typer.Typer):
        parent.add_typer(command, name=name)
    else:
        parent.command(name)(command)
    return typer.main.get_group(parent).commands[name]


class Commands(TyperGroup):
    """The list of commands. Each is a stand-in with a name and a help text until it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in COMMANDS:
            self.commands[args[0]] = load(args[0])
            gc.freeze()  # the modules stay: no need to look through them ever
            gc.enable()
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show the values of variables
    help="Huhang: one graph of everything that an emergency bureau protects.",
)
for name, (_, text) in COMMANDS.items():
    app.command(name, help=text)(lambda: None)
