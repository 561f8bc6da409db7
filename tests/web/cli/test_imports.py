"""The imports of each command before it works: a library that it does not need would make it start later."""

import json
import subprocess
import sys

from tests.support.source_files import ROOT
from web.cli import COMMANDS

DATABASE = {"pydantic", "sqlalchemy"}  # every command needs it, also for its settings
TOKENS = {"cryptography", "joserfc"}
GRAPH = {"graphql", "strawberry"}
REGISTER = {"PIL", "numpy", "openpyxl", "pyproj", "shapely"}
NEEDED = {
    "serve": {"PIL", "authlib", "babel", "httpx", "limits", "obstore", "uvicorn"} | TOKENS | GRAPH,
    "simulate": {"httpx"} | TOKENS,
    "import": REGISTER,
    "export": REGISTER,
    "collect": {"PIL", "obstore"},
    "backup": {"obstore"},
    "restore": {"obstore"},
    "doctor": {"PIL", "cryptography", "httpx", "obstore", "redis"},  # redis-py imports cryptography
    "schema": {"obstore"} | GRAPH,
    "account": {"cryptography"},
    "token": TOKENS,
    "screen": TOKENS,
}
# Libraries that take long to import. Alembic is only imported to migrate.
LIBRARIES = DATABASE | {"alembic"}.union(*NEEDED.values())

# The list of commands comes first. Then each command is loaded in a process that has loaded the one with the fewest
# imports. `serve` imports the application when it serves.
PROGRAM = f"""
import json, os, sys
from web.cli import COMMANDS, app, load

def print_loaded(name):
    loaded = {LIBRARIES!r} & {{module.partition(".")[0] for module in sys.modules}}
    print(json.dumps([name, sorted(loaded)]), flush=True)

app(["--help"], standalone_mode=False)
print_loaded("--help")
load("portraits")
for name in COMMANDS:
    if os.fork() == 0:
        load(name)
        if name == "serve":
            import web.app
        print_loaded(name)
        os._exit(0)
    os.wait()
"""


def test_a_command_imports_only_what_it_needs() -> None:
    done = subprocess.run((sys.executable, "-c", PROGRAM), cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    needed = {name: sorted(DATABASE | NEEDED.get(name, set())) for name in COMMANDS}
    assert loaded == {"--help": [], **needed}
