"""Portraits: published figures, limits of windows, who may see them, and the number of statements."""

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import models
from models import CaseStatus, HazardLevel, HazardStatus, InspectionKind, InspectionStatus, PenaltyKind, Role
from models.db import portrait_sums
from models.db.database import Database
from models.visibility import Scope, Viewer, Visibility
from resolvers.errors import RequestError
from resolvers.queries import portraits
from resolvers.sql.readers import OperationReader
from schema.build import Graph
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import COMMANDER, NOW, SHANGHAI, TODAY, Ask, StatementCounter, make_executor
from tests.support.portrait_reference import PORTRAIT, World

PUBLISHED = list(csv.DictReader(Path(__file__).with_name("indicator_checks.csv").read_text("utf-8").splitlines()))
COMPLETE = [row for row in PUBLISHED if row["numerator"] and row["denominator"] and row["published_value"]]
# By the metric's name in the file: the field, and the unit of the published figure.
FIELDS = {
    "rectification_rate 整改率": ("rectificationRate", 100),
    "violations per 1000 inspections": ("hazardsPerThousandInspections", 1),
    "major hazards per 1000 inspections": ("majorHazardsPerThousandInspections", 1),
}
PENALTIES = "penalties 行政处罚 / inspections"
HOUR = dt.timedelta(hours=1)
DAY = 24 * HOUR


async def write(database: Database, **rows: list[dict[str, Any]]) -> None:
    """Insert rows, by the name of their model, and make the sums of them."""
    async with database.write() as session:
        connection = await session.connection()
        for name, values in rows.items():
            if values:
                await connection.execute(sa.insert(getattr(models, name).__table__), values)
        await portrait_sums.rebuild(connection)


def inspection(key: int, at: dt.datetime, **more: Any) -> dict[str, Any]:
    kind, status = InspectionKind.ROUTINE, InspectionStatus.CLOSED
    return {"id": key, "enterprise_id": 1, "kind": kind, "status": status, "submitted_at": at, **more}


def hazard(key: int, status: HazardStatus, at: dt.datetime, **more: Any) -> dict[str, Any]:
    done = at if status in (HazardStatus.ACCEPTED, HazardStatus.CLOSED) else None
    return {
        "id": key,
        "enterprise_id": 1,
        "inspection_id": None,
        "level": HazardLevel.GENERAL,
        "status": status,
        "description": "d",
        "found_at": at,
        "deadline": None,
        "rectified_at": done,
        "accepted_at": done,
        "closed_at": at if status is HazardStatus.CLOSED else None,
        **more,
    }


def penalty(key: int, at: dt.datetime) -> dict[str, Any]:
    more = {"grounds": "g", "penalty_kinds": [PenaltyKind.FINE], "fine_yuan": 1_000, "filed_at": at}
    return {"id": key, "inspection_id": key, "enterprise_id": 1, "status": CaseStatus.DECIDED, **more}


DISTRICT = [{"id": 1, "name": "D"}]
ENTERPRISE = [{"id": 1, "name": "e"}]


async def district(
    graph: Graph, database: Database, window: str = "", *, now: dt.datetime = NOW, viewer: Viewer = COMMANDER
) -> Any:
    """The portrait of the district."""
    query = f"{{ district {{ portrait{window} {{ ...P }} }} }} {PORTRAIT}"
    answer = await make_executor(graph, database, now, cost_limit=10**9).run(Operation(query), viewer)
    assert answer.errors == []
    assert answer.data is not None
    return answer.data["district"]["portrait"]


async def test_the_published_figures_are_reproduced(graph: Graph, database: Database) -> None:
    """All figures of the bulletin of Shanghai's district bureaus, first quarter of 2025, from the same rows."""
    at = dt.datetime(2025, 2, 3, 4, 0, tzinfo=dt.UTC)
    [inspections] = {int(r["denominator"]) for r in COMPLETE if "inspections" in r["metric"]}
    [(rectified, hazards_found)] = [
        (int(r["numerator"]), int(r["denominator"])) for r in COMPLETE if "整改率" in r["metric"]
    ]
    [major] = [int(r["numerator"]) for r in COMPLETE if r["metric"].startswith("major")]
    hazards = [
        hazard(
            key,
            HazardStatus.CLOSED
            if key <= rectified // 2
            else HazardStatus.ACCEPTED
            if key <= rectified
            else HazardStatus.FOUND,
            at,
            inspection_id=key,
            level=HazardLevel.MAJOR if key > hazards_found - major else HazardLevel.GENERAL,
        )
        for key in range(1, hazards_found + 1)
    ]
    made = [inspection(key, at + key * HOUR / 4) for key in range(1, inspections + 1)]
    [penalised] = [int(r["numerator"]) for r in PUBLISHED if r["metric"] == PENALTIES]
    cases = [penalty(key, at) for key in range(1, penalised + 1)]
    # Rows that must not be counted.
    hazards.append(hazard(hazards_found + 1, HazardStatus.DISMISSED, at, inspection_id=1))
    made.append(inspection(inspections + 1, at, status=InspectionStatus.CANCELLED))
    await write(database, District=DISTRICT, Enterprise=ENTERPRISE, Inspection=made, Hazard=hazards, Case=cases)
    portrait = await district(graph, database, '(window: { from: "2025-01-01", to: "2025-03-31" })')
    assert len(COMPLETE) == len(FIELDS) == 3
    for row in COMPLETE:
        field, unit = FIELDS[row["metric"]]
        assert f"{portrait[field] * unit:.1f}" == row["published_value"].rstrip("%")
    assert (portrait["hazardsFound"], portrait["inspections"]) == (hazards_found, inspections)
    # The bulletin has both numbers but not their ratio; the file's note explains it.
    assert f"{portrait['penaltyRate']:.1%}" == "12.8%"


async def test_the_penalty_rate_of_a_published_bulletin_is_reproduced(graph: Graph, database: Database) -> None:
    """The bulletin of Kizilsu, July 2024: 4 penalties in 29 inspections, 165 hazards, 14 of them major."""
    [row] = [r for r in PUBLISHED if r["source"].startswith("Kizilsu")]
    at = dt.datetime(2024, 7, 20, 4, 0, tzinfo=dt.UTC)
    made = [inspection(key, at) for key in range(1, int(row["denominator"]) + 1)]
    cases = [penalty(key, at) for key in range(1, int(row["numerator"]) + 1)]
    await write(database, District=DISTRICT, Enterprise=ENTERPRISE, Inspection=made, Case=cases)
    portrait = await district(graph, database, '(window: { from: "2024-07-01", to: "2024-07-31" })')
    assert f"{portrait['penaltyRate']:.1%}" == "13.8%"
    assert portrait["filingRate"] == portrait["penaltyRate"]


async def test_an_empty_district_has_no_rates(graph: Graph, database: Database) -> None:
    await write(database, District=DISTRICT)
    portrait = await district(graph, database)
    rates = {name: value for name, value in portrait.items() if "Rate" in name or "Per" in name or name == "coverage"}
    assert len(rates) == 8
    assert set(rates.values()) == {None}
    assert portrait["byRisk"] == [{"riskGrade": g, "count": 0} for g in ("RED", "ORANGE", "YELLOW", "BLUE", None)]
    assert [set(day.values()) - {day["day"]} for day in portrait["trend"]] == [{0}] * 30


async def test_the_default_window_is_the_last_30_days(graph: Graph, demo: Database) -> None:
    portrait = await district(graph, demo)
    assert (portrait["from"], portrait["to"]) == ("2026-05-17", TODAY.isoformat())
    # At this time it is already the next day in the district.
    late = dt.datetime(2026, 6, 15, 16, 0, tzinfo=dt.UTC)
    assert (await district(graph, demo, now=late))["to"] == "2026-06-16"
    assert (await district(graph, demo, now=late - dt.timedelta(microseconds=1)))["to"] == "2026-06-15"


@pytest.mark.exhaustive
async def test_portraits_of_the_demo_equal_counting_its_rows(graph: Graph, demo: Database) -> None:
    world = await World.read(demo)
    days = (dt.date(2026, 5, 1), TODAY)
    query = f"""{{
      cursor
      zones {{ id portrait(window: {{ from: "{days[0]}", to: "{days[1]}" }}) {{ ...P }} }}
      venues {{ nodes {{ rings {{ id portrait(window: {{ from: "{days[0]}", to: "{days[1]}" }}) {{ ...P }} }} }} }}
    }} {PORTRAIT}"""
    answer = await make_executor(graph, demo, cost_limit=10**9).run(Operation(query), COMMANDER)
    assert answer.errors == []
    assert answer.data is not None
    rings = [ring for venue in answer.data["venues"]["nodes"] for ring in venue["rings"]]
    assert len(rings) == 54
    for kind, parents in (("zone", answer.data["zones"]), ("ring", rings)):
        for one in parents:
            portrait = {**one["portrait"], "asOf": NOW.isoformat()}
            assert portrait.pop("cursor") == answer.data["cursor"]
            assert portrait == world.portrait(kind, node_id.decode(one["id"])[1], days, NOW, SHANGHAI)


async def test_the_on_time_rate_changes_when_a_deadline_passes(graph: Graph, database: Database) -> None:
    deadline = NOW + HOUR
    hazards = [
        hazard(1, HazardStatus.RECTIFYING, NOW - DAY, deadline=deadline),
        hazard(2, HazardStatus.PENDING_ACCEPTANCE, NOW - DAY, deadline=deadline, rectified_at=NOW),
        # Rectified exactly at the deadline, and one second later, both already judged.
        hazard(3, HazardStatus.ACCEPTED, NOW - DAY, deadline=deadline, rectified_at=deadline),
        hazard(4, HazardStatus.CLOSED, NOW - DAY, deadline=deadline, rectified_at=deadline + HOUR),
        hazard(5, HazardStatus.DISMISSED, NOW - DAY, deadline=deadline),
    ]
    await write(database, District=DISTRICT, Enterprise=ENTERPRISE, Hazard=hazards)
    before = await district(graph, database)
    at_it = await district(graph, database, now=deadline)
    after = await district(graph, database, now=deadline + dt.timedelta(microseconds=1))
    assert [p["hazardsOverdue"] for p in (before, at_it, after)] == [0, 0, 2]
    assert [p["onTimeRate"] for p in (before, at_it, after)] == [None, None, 0.5]
    # A hazard counts in the window of its deadline.
    week = await district(graph, database, '(window: { from: "2026-06-01", to: "2026-06-14" })', now=deadline + HOUR)
    assert (week["onTimeRate"], week["hazardsOverdue"], week["hazardsFound"]) == (None, 2, 4)


async def test_days_begin_at_the_districts_midnight(graph: Graph, database: Database) -> None:
    """16:00 UTC is midnight in Shanghai: the last second of 2025 and the first of 2026."""
    midnight = dt.datetime(2025, 12, 31, 16, 0, tzinfo=dt.UTC)
    made = [inspection(1, midnight - dt.timedelta(microseconds=1)), inspection(2, midnight), inspection(3, midnight)]
    await write(database, District=DISTRICT, Enterprise=ENTERPRISE, Inspection=made)
    old = await district(graph, database, '(window: { from: "2025-12-31", to: "2025-12-31" })')
    new = await district(graph, database, '(window: { from: "2026-01-01", to: "2026-01-01" })')
    both = await district(graph, database, '(window: { from: "2025-12-31", to: "2026-01-01" })')
    assert [p["inspections"] for p in (old, new, both)] == [1, 2, 3]
    assert [day["inspections"] for day in both["trend"]] == [1, 2]


async def test_each_indicator_begins_and_ends_at_midnight(graph: Graph, database: Database) -> None:
    """One enterprise has one of everything just before midnight, another one of everything at midnight."""
    midnight = dt.datetime(2025, 12, 31, 16, 0, tzinfo=dt.UTC)
    rows: dict[str, list[dict[str, Any]]] = {"Enterprise": [], "Inspection": [], "Hazard": [], "Case": []}
    for key, at in ((1, midnight - dt.timedelta(microseconds=1)), (2, midnight)):
        of = {"enterprise_id": key}
        rows["Enterprise"].append({"id": key, "name": "e"})
        rows["Inspection"].append({**inspection(key, at), **of})
        rows["Case"].append({**penalty(key, at), **of})
        rows["Hazard"].append({**hazard(2 * key, HazardStatus.CLOSED, at, inspection_id=key, deadline=at), **of})
        rows["Hazard"].append({**hazard(2 * key + 1, HazardStatus.FOUND, at, level=HazardLevel.MAJOR), **of})
    await write(database, District=DISTRICT, **rows)
    world = await World.read(database)
    last, first = dt.date(2025, 12, 31), dt.date(2026, 1, 1)
    for days, enterprises in (((last, last), 1), ((first, first), 1), ((last, first), 2)):
        portrait = await district(graph, database, f'(window: {{ from: "{days[0]}", to: "{days[1]}" }})')
        assert portrait["enterprisesInspected"] == portrait["casesFiled"] == enterprises
        assert portrait["hazardsFound"] == 2 * enterprises
        del portrait["cursor"]
        assert {**portrait, "asOf": NOW.isoformat()} == world.portrait("district", 1, days, NOW, SHANGHAI)


@pytest.mark.parametrize(
    "window",
    [
        '{ from: "2026-06-15", to: "2026-06-14" }',
        '{ from: "1899-12-31", to: "1900-01-01" }',
        '{ from: "0001-01-01", to: "0001-01-02" }',
        '{ from: "9999-12-31", to: "9999-12-31" }',
        '{ from: "2016-06-05", to: "2026-06-15" }',
    ],
)
async def test_an_impossible_window_is_refused(graph: Graph, demo: Database, window: str) -> None:
    query = f"{{ zones {{ portrait(window: {window}) {{ inspections }} }} }}"
    answer = await make_executor(graph, demo, cost_limit=10**9).run(Operation(query), COMMANDER)
    assert [error["extensions"]["code"] for error in answer.errors] == ["BAD_INPUT"] * 4


@pytest.mark.parametrize("days", ['"1900-01-01", to: "1900-01-02"', '"9998-12-31", to: "9998-12-31"'])
async def test_windows_at_the_edges_of_the_calendar_are_accepted(graph: Graph, demo: Database, days: str) -> None:
    portrait = await district(graph, demo, f"(window: {{ from: {days} }})")
    assert portrait["hazardsFound"] == 0
    assert {day["hazardsOpenAtEnd"] for day in portrait["trend"]} == (
        {0} if "1900" in days else {portrait["hazardsOpen"]}
    )


async def test_the_longest_window_is_accepted(graph: Graph, demo: Database) -> None:
    query = '{ district { portrait(window: { from: "2016-06-09", to: "2026-06-15" }) { hazardsFound trend { day } } } }'
    answer = await make_executor(graph, demo, cost_limit=10**9).run(Operation(query), COMMANDER)
    assert answer.data is not None
    assert len(answer.data["district"]["portrait"]["trend"]) == 3_659


async def test_too_many_long_portraits_in_one_list_are_refused(graph: Graph, demo: Database) -> None:
    """A thousand portraits over ten years would have hundreds of megabytes."""
    for first, whole in ((27, True), (28, False)):
        window = 'window: { from: "2016-06-09", to: "2026-06-15" }'
        query = f"{{ enterprises(first: {first}) {{ nodes {{ portrait({window}) {{ hazardsFound }} }} }} }}"
        answer = await make_executor(graph, demo, cost_limit=10**9).run(Operation(query), COMMANDER)
        assert {error["extensions"]["code"] for error in answer.errors} == (set() if whole else {"BAD_INPUT"})


async def test_portraits_of_one_list_count_together_in_whatever_calls_they_are_read(demo: Database) -> None:
    """Under graphql-core, operations that yield to others read a list in several calls."""
    window = (TODAY - dt.timedelta(days=3_658), TODAY)
    reader = OperationReader(demo, COMMANDER, NOW, SHANGHAI)
    try:
        assert len(await portraits.of_enterprises(reader, [(key,) for key in range(1, 15)], window=window)) == 14
        with pytest.raises(RequestError):
            await portraits.of_enterprises(reader, [(key,) for key in range(15, 29)], window=window)
    finally:
        await reader.close()


PARENTS = {
    "district": ("district { portrait { ...P } }",) * 2,
    "zone": ('zone(by: { code: "GUALI" }) { portrait { ...P } }', "zones { portrait { ...P } }"),
    "ring": (
        "venues(first: 1) { nodes { rings { portrait { ...P } } } }",
        "venues { nodes { rings { portrait { ...P } } } }",
    ),
    "venue": ("venues(first: 1) { nodes { portrait { ...P } } }", "venues { nodes { portrait { ...P } } }"),
    "enterprise": (
        "enterprises(first: 1) { nodes { portrait { ...P } } }",
        "enterprises(first: 50) { nodes { portrait { ...P } } }",
    ),
}


@pytest.mark.parametrize("kind", PARENTS)
async def test_many_parents_need_as_many_statements_as_one(graph: Graph, demo: Database, kind: str) -> None:
    taken = []
    for selection in PARENTS[kind]:
        with StatementCounter(demo) as statements:
            answer = await make_executor(graph, demo, cost_limit=10**9).run(
                Operation(f"{{ {selection} }} {PORTRAIT}"), COMMANDER
            )
        assert answer.errors == []
        taken.append(len(statements.texts))
    assert taken[0] == taken[1] <= 6


@pytest.mark.parametrize("scopes", [set(), {Scope.READ}, {Scope.READ, Scope.PERSONAL}])
async def test_portraits_contain_no_personal_data(graph: Graph, demo: Database, scopes: set[Scope]) -> None:
    """Every viewer who may read sees them."""
    viewer = Viewer(Visibility(Role.INTEGRATOR, frozenset(scopes)))
    query = "{ zones { portrait { enterprises } } }"
    answer = await make_executor(graph, demo, cost_limit=10**9).run(Operation(query), viewer)
    wall = await make_executor(graph, demo, cost_limit=10**9).run(Operation(query), Viewer(Visibility(Role.WALL)))
    assert wall.data is not None
    assert len(wall.data["zones"]) == 4
    assert answer.data == (wall.data if scopes else {"zones": []})


async def test_an_enterprise_sees_only_its_own_portrait(graph: Graph, demo: Database, ask: Ask) -> None:
    own, other = (await ask("{ enterprises(first: 2) { nodes { id portrait { hazardsOpen } } } }"))["enterprises"][
        "nodes"
    ]
    viewer = Viewer(Visibility(Role.ENTERPRISE, enterprise=node_id.decode(own["id"])[1]))
    query = """query($own: ID!, $other: ID!) {
      district { portrait { enterprises } }
      zones { portrait { enterprises } }
      venues { nodes { portrait { enterprises } rings { portrait { enterprises } } } }
      own: enterprise(by: { id: $own }) { portrait { hazardsOpen } }
      other: enterprise(by: { id: $other }) { portrait { hazardsOpen } }
      enterprises { nodes { id portrait { hazardsOpen } } }
    }"""
    variables = {"own": own["id"], "other": other["id"]}
    answer = await make_executor(graph, demo, cost_limit=10**9).run(Operation(query, variables), viewer)
    assert answer.errors == []
    assert answer.data is not None
    seen = answer.data
    assert seen["district"] == {"portrait": None}
    assert seen["zones"] == [{"portrait": None}] * 4
    assert {str(v["portrait"]) for v in seen["venues"]["nodes"]} == {"None"}
    assert {str(r["portrait"]) for v in seen["venues"]["nodes"] for r in v["rings"]} == {"None"}
    assert seen["own"] == {"portrait": own["portrait"]}
    assert seen["other"] is None
    assert seen["enterprises"]["nodes"] == [own]
