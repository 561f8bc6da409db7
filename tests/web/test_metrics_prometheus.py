"""The rules and the dashboard of deploy/prometheus use metrics that exist, and work in a real Prometheus."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from models import metrics
from tests.support.patience import PATIENCE
from tests.support.server_process import Process
from web.settings import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RULES = re.findall(r"alert: (\w+)\n +expr: (.+)", (FOLDER / "alerts.yml").read_text("utf-8"))
PANELS: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]
TARGETS = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Prometheus is not installed (Debian's package prometheus)",
)


def test_the_rules_and_the_dashboard_name_existing_metrics() -> None:
    assert len(RULES) > 10
    assert len(TARGETS) > 30
    named = {name for expr in [*(expr for _, expr in RULES), *TARGETS] for name in re.findall(r"huhang_\w+", expr)}
    existing = {family.name + suffix for family in metrics.REGISTRY.collect() for suffix in SUFFIXES[family.type]}
    assert named - existing == set()


def test_every_panel_says_what_it_shows() -> None:
    assert [panel["title"] for panel in PANELS if panel["type"] != "row" and not panel.get("description")] == []
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


@needs_prometheus
def test_promtool_accepts_the_files() -> None:
    for command in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        done = subprocess.run(("promtool", "check", *command), cwd=FOLDER, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def series(name: str, values: str) -> str:
    return f"      - series: '{name}'\n        values: '{values}'\n"


ALERTING = {
    # By alert, series by the minute for which it fires after ten, and for which it does not.
    "HuhangDown": (('up{job="huhang"}', "0x15"), ('up{job="huhang"}', "1x15")),
    "HuhangFeedLags": (("huhang_feed_lag_seconds", "30x15"), ("huhang_feed_lag_seconds", "0.9x15")),
    "HuhangFilesRunOut": (("huhang_open_files", "900x15"), ("huhang_open_files", "700x15")),
    "HuhangFailures": (
        ('huhang_operation_seconds_count{outcome="failed"}', "0+2x15"),
        ('huhang_operation_seconds_count{outcome="failed"}', "0+0.5x15"),
    ),
}


@needs_prometheus
def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    parts = [f"rule_files:\n  - {FOLDER / 'alerts.yml'}\nevaluation_interval: 1m\ntests:\n"]
    for alert, (firing, quiet) in ALERTING.items():
        for (name, values), fires in ((firing, True), (quiet, False)):
            others = series("huhang_open_files_limit", "1000x15")
            others += series('huhang_operation_seconds_count{outcome="ok"}', "0+100x15")
            parts.append(f"  - interval: 1m\n    input_series:\n{series(name, values)}{others}    promql_expr_test:\n")
            sample = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
            parts.append(f"      - expr: 'count({sample}) or vector(0)'\n        eval_time: 10m\n")
            parts.append(f"        exp_samples: [{{ labels: '{{}}', value: {int(fires)} }}]\n")
    file = tmp_path / "test.yml"
    file.write_text("".join(parts))
    done = subprocess.run(("promtool", "test", "rules", str(file)), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[httpx.Client]:
    """A Prometheus that scrapes a target each second, with the rules of deploy/. Yields a client of its API."""
    config = (FOLDER / "prometheus.yml").read_text("utf-8")
    config = re.sub(r"targets: .*", f'targets: ["{target}"]', config).replace("15s", "1s")
    (folder / "prometheus.yml").write_text(config.replace("alerts.yml", str(FOLDER / "alerts.yml")))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE) as client:
            yield client
    finally:
        process.kill()
        process.wait()


def query(client: httpx.Client, expr: str) -> list[Any]:
    """The samples of an expression, as the dashboard has it. Nothing while Prometheus starts."""
    expr = expr.replace("$__rate_interval", "4s").replace("$instance", ".*")
    try:
        answer = client.get("/query", params={"query": expr}).json()
    except (httpx.TransportError, json.JSONDecodeError):
        return []
    assert answer["status"] == "success", (expr, answer)
    result: list[Any] = answer["data"]["result"]
    return result


@needs_prometheus
def test_a_real_prometheus_reads_the_metrics(served: Process, tmp_path: Path) -> None:
    ask = {"query": "{ zones { name } }"}
    operations = 'sum(huhang_operation_seconds_count{outcome="ok"})'
    httpx.post(f"{served.address}/graphql", json=ask, timeout=PATIENCE)
    with prometheus(tmp_path, served.address.removeprefix("http://")) as client:
        end = time.monotonic() + PATIENCE
        while not query(client, f"{operations} > 0") and time.monotonic() < end:
            time.sleep(0.2)
        assert float(query(client, operations)[0]["value"][1]) >= 1
        assert query(client, "huhang_build_info * on (instance) up")
        for expr in [*TARGETS, *(expr for _, expr in RULES)]:
            query(client, expr)
        rules = client.get("/rules").json()["data"]["groups"][0]["rules"]
        assert {rule["name"] for rule in rules} == {name for name, _ in RULES}
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}  # unknown before the first evaluation
