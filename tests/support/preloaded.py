"""Imported by the process from which ForkedProgram and WorkerProcess fork: everything but the modules of `web`.

A forked program imports those itself, because some of them read the environment when they are imported.
"""

import sys

import tests.support.worker_process
import web.cli

__all__ = ["tests", "web"]

for name in list(sys.modules):
    if name.partition(".")[0] == "web":
        del sys.modules[name]
