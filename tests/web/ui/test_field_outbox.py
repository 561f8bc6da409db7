"""The outbox by itself, in Node. field_outbox.test.ts has the tests."""

import shutil
import subprocess
from pathlib import Path

from tests.support.page_messages import UI
from tests.support.patience import PATIENCE


def test_the_outbox_sends_each_action_once_and_in_order(tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node, "The outbox's tests need Node."
    bundle = tmp_path / "outbox.test.mjs"
    source = Path(__file__).with_name("field_outbox.test.ts")
    # Vite's own bundler turns TypeScript into what Node runs.
    build = (
        node,
        str(UI / "node_modules/rolldown/bin/cli.mjs"),
        str(source),
        "--file",
        str(bundle),
        "--platform",
        "node",
    )
    subprocess.run(build, capture_output=True, check=True, timeout=PATIENCE)
    done = subprocess.run((node, "--test", str(bundle)), capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout
    assert "# pass 13" in done.stdout
