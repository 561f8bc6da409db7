"""The counters of this process in Prometheus's text format (prometheus.io/docs/instrumenting/exposition_formats)."""

from collections.abc import Mapping

from resolvers.access_log import AccessLog
from schema.plan.cache import PlanRunner
from web.readiness import ReadinessState

MEDIA = "text/plain; version=0.0.4; charset=utf-8"


def metrics(plans: PlanRunner | None, access_log: AccessLog) -> str:
    """How many operations were answered by plan, and how many were not, by reason; and what the access log did."""
    lines = [*plan_metrics(plans), *access_metrics(access_log)]
    return "\n".join(lines) + "\n"


def access_metrics(access_log: AccessLog) -> list[str]:
    return [
        "# HELP huhang_accesses_written_total Accesses to personal data that were written.",
        "# TYPE huhang_accesses_written_total counter",
        f"huhang_accesses_written_total {access_log.written}",
        "# HELP huhang_accesses_dropped_total Accesses to personal data that could not be kept: too many waited.",
        "# TYPE huhang_accesses_dropped_total counter",
        f"huhang_accesses_dropped_total {access_log.dropped}",
        "# HELP huhang_accesses_pending Accesses to personal data that wait to be written.",
        "# TYPE huhang_accesses_pending gauge",
        f"huhang_accesses_pending {access_log.pending}",
    ]


def plan_metrics(plans: PlanRunner | None) -> list[str]:
    if plans is None:
        return []
    return [
        "# HELP huhang_plans_served_total Operations answered by plan.",
        "# TYPE huhang_plans_served_total counter",
        f"huhang_plans_served_total {plans.served}",
        "# HELP huhang_plans_left_total Operations left to graphql-core, by reason.",
        "# TYPE huhang_plans_left_total counter",
        *(f'huhang_plans_left_total{{reason="{escape(why)}"}} {n}' for why, n in sorted(plans.left.items())),
    ]


def load_metrics(refused: Mapping[str, int], waiting: int) -> str:
    """How many requests and connections were refused or cut, by reason, and how many operations wait now."""
    lines = [
        "# HELP huhang_refused_total Requests and connections that were refused or cut, by reason.",
        "# TYPE huhang_refused_total counter",
        *(f'huhang_refused_total{{reason="{escape(why)}"}} {n}' for why, n in sorted(refused.items())),
        "# HELP huhang_waiting Operations that wait for their turn.",
        "# TYPE huhang_waiting gauge",
        f"huhang_waiting {waiting}",
    ]
    return "\n".join(lines) + "\n"


def failure_metrics(readiness: ReadinessState, failures: Mapping[str, int]) -> str:
    """Which checks of `/readyz` succeed, and how often the database failed, by the name of the error."""
    lines = [
        "# HELP huhang_ready 1 where a check of /readyz succeeds, else 0.",
        "# TYPE huhang_ready gauge",
        *(f'huhang_ready{{check="{name}"}} {int(name not in readiness.failed)}' for name in readiness.checks),
        "# HELP huhang_failures_total Failures of the database and of files, by the error's name.",
        "# TYPE huhang_failures_total counter",
        *(f'huhang_failures_total{{name="{escape(name)}"}} {count}' for name, count in sorted(failures.items())),
    ]
    return "\n".join(lines) + "\n"


def escape(label: str) -> str:
    """A label's value as the format requires it."""
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
