"""Imported by the process from which ForkedProgram and WorkerProcess fork: everything but the modules of `web`.

A forked program imports those itself, because some of them read the environment when they are imported. It gets a graph
that is built already, and does not look for garbage in what it inherited.
"""

import gc
import sys

import schema.build
import web.app
from tests.support import worker_process
from web.cli import COMMANDS, load

__all__ = ["web"]

for name in COMMANDS:
    load(name)
for name in list(sys.modules):
    if name.partition(".")[0] == "web":
        del sys.modules[name]
schema.build.build = lambda: worker_process.GRAPH
gc.collect()
gc.freeze()
