"""The files of deploy/ match the code, and docs/reference/live.md lists the close codes and bounds."""

import datetime as dt
import json
import re
import shutil
import subprocess

import pytest

from resolvers.evidence.uploads import ORPHAN_AGE
from web.cli import app
from web.graphql import close_codes, socket_messages
from web.graphql.negotiation import EVENTS
from web.server import STOP_SECONDS
from web.settings import ROOT, Settings

LIVE = (ROOT / "docs" / "reference" / "live.md").read_text()
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
UNITS = sorted((DEPLOY / "systemd").iterdir())
EXPOSURE = 20  # at most, of 100, as systemd-analyze counts it
# Codes of RFC 6455 that the libraries send.
OTHERS = {1007, 1009}


def test_the_reference_has_every_close_code() -> None:
    listed = [int(code) for code in re.findall(r"^\| (\d{4}) \|", LIVE, re.MULTILINE)]
    codes = {value.code for value in vars(close_codes).values() if isinstance(value, close_codes.Close)}
    assert listed == sorted(codes | OTHERS)


@pytest.mark.parametrize(
    "bound",
    [
        f"{close_codes.WAITING_MESSAGES} messages",
        f"{close_codes.WAITING_BYTES >> 20} MiB",
        f"{close_codes.OPERATIONS_MAXIMUM} operations",
        f"{close_codes.INIT_SECONDS:.0f} seconds",
        f"{close_codes.DRAIN_SECONDS:.0f} seconds",
        f"{close_codes.PING_SECONDS:.0f} seconds",
        f"{socket_messages.ID_MAXIMUM} characters",
        EVENTS,
    ],
)
def test_the_reference_has_the_bounds(bound: str) -> None:
    assert bound in LIVE.replace("\n", " ")


def test_only_existing_settings_are_used() -> None:
    named = {name for path in FILES for name in re.findall(r"HUHANG_\w+", path.read_text())}
    named |= set(re.findall(r"HUHANG_\w+", (ROOT / "docs" / "guides" / "operators.md").read_text()))
    assert named - {f"HUHANG_{name}".upper() for name in Settings.model_fields} == set()


def test_unused_evidence_is_collected_often_enough() -> None:
    compose = (DEPLOY / "compose.yaml").read_text()
    [service] = re.findall(r"^  collect:\n((?:    .+\n)+)", compose, re.MULTILINE)
    assert "<<: *huhang" in service  # the settings and the evidence of the servers
    assert "migrate: { condition: service_completed_successfully }" in service
    *shell, loop = json.loads(re.findall(r"entrypoint: (\[.+\])", service)[0])
    assert shell == ["sh", "-c"]
    [command, seconds] = re.findall(r"python -m web (\w+); sleep (\d+)", loop)[0]
    assert command in {c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands}
    assert dt.timedelta(seconds=int(seconds)) <= ORPHAN_AGE
    assert subprocess.run(["sh", "-n", "-c", loop], check=False).returncode == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_units_of_systemd_are_right_and_hardened() -> None:
    files = [str(unit) for unit in UNITS]
    verified = subprocess.run(("systemd-analyze", "verify", *files), capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    for file in files:
        if file.endswith(".service"):
            words = ("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", file)
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout


def test_the_service_has_time_to_stop_and_files_for_its_clients() -> None:
    unit = (DEPLOY / "systemd" / "huhang@.service").read_text("utf-8")
    assert int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]) > STOP_SECONDS
    assert int(re.findall(r"LimitNOFILE=(\d+)", unit)[0]) > Settings.model_fields["connections"].default


def test_every_path_copied_into_the_image_exists() -> None:
    copied = re.findall(r"^COPY ((?!--from)[^\n]+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert copied
    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []


def test_the_proxy_has_every_server_and_waits_longer_than_a_keep_alive() -> None:
    proxy, compose = (DEPLOY / "nginx.conf").read_text(), (DEPLOY / "compose.yaml").read_text()
    servers = re.findall(r"^  (server\d):", compose, re.MULTILINE)
    assert len(servers) == 3
    assert re.findall(r"server (server\d):8000 max_fails=2 fail_timeout=5s;", proxy) == servers * 2
    seconds = int(re.findall(r"proxy_read_timeout (\d+)s", proxy)[0])
    assert seconds > 2 * max(close_codes.PING_SECONDS, close_codes.ALIVE_SECONDS)
    assert "proxy_buffering off;" in proxy
    limit = Settings.model_fields["evidence_limit"].default
    assert int(re.findall(r"client_max_body_size (\d+)m", proxy)[0]) << 20 > limit
