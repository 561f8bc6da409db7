"""The audits of the npm package `graphql-http`: whether the server conforms to GraphQL over HTTP."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.support.patience import PATIENCE
from tests.support.server_process import Process

AUDITS = 61  # of the version in web/ui/package.json; a newer one may have more


def test_all_audits_pass(served: Process) -> None:
    node = shutil.which("node")
    assert node, "The audits need Node."
    script = Path(__file__).with_name("audits.mjs")
    # The script does not fail for a failed audit; it lists it among the results.
    command = (node, str(script), f"{served.address}/graphql")
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    audits = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(audits) == AUDITS
    assert [audit for audit in audits if audit["status"] != "ok"] == []
