"""The rows of the demo lie in the right places, identify nobody, and do not contradict each other."""

import datetime as dt
from collections import Counter, defaultdict
from typing import Any

import pytest
from shapely.geometry import LinearRing, Point, shape

import models
from models import (
    HAZARD_TERMINAL,
    AssistanceStatus,
    CaseStatus,
    DispatchStatus,
    ExtensionStatus,
    HazardLevel,
    HazardStatus,
    InspectionKind,
    InspectionStatus,
)
from models.credit_code import is_valid
from models.db.sqlite_functions import great_circle_metres
from tests.support.demo_rows import MIDNIGHT, NUMBER, TODAY, Rows, by_id

# Places


def test_enterprises_lie_in_their_zone_and_rings(made: Rows) -> None:
    zones = {zone["id"]: shape(zone["boundary"]) for zone in made[models.Zone]}
    towns, venues = by_id(made[models.Town]), by_id(made[models.Venue])
    rings = {(row["enterprise_id"], row["ring_id"]) for row in made[models.EnterpriseRing]}
    for enterprise in made[models.Enterprise]:
        latitude, longitude = enterprise["latitude"], enterprise["longitude"]
        assert zones[enterprise["zone_id"]].contains(Point(longitude, latitude))
        assert towns[enterprise["town_id"]]["zone_id"] == enterprise["zone_id"]
        for ring in made[models.ControlRing]:
            venue = venues[ring["venue_id"]]
            inside = (
                venue["latitude"] is not None
                and great_circle_metres(latitude, longitude, venue["latitude"], venue["longitude"])
                <= ring["radius_metres"]
            )
            assert ((enterprise["id"], ring["id"]) in rings) == inside


def test_the_district_is_the_union_of_its_zones_and_boundaries_are_counter_clockwise(made: Rows) -> None:
    district, zones = made[models.District][0]["boundary"], [zone["boundary"] for zone in made[models.Zone]]
    assert district["type"] == "Polygon"
    assert shape(district).area == pytest.approx(sum(shape(zone).area for zone in zones))
    assert all(LinearRing(area["coordinates"][0]).is_ccw for area in (district, *zones))


def test_resources_lie_in_their_zone(made: Rows) -> None:
    zones = {zone["id"]: shape(zone["boundary"]) for zone in made[models.Zone]}
    for table in (models.Expert, models.Team, models.Warehouse, models.Inspector):
        for row in made[table]:
            assert zones[row["zone_id"]].contains(Point(row["longitude"], row["latitude"]))


# Identities


def test_credit_codes_are_valid_and_never_issued(made: Rows) -> None:
    codes = [e["credit_code"] for e in made[models.Enterprise] if e["credit_code"]]
    assert len(set(codes)) == len(codes)
    assert 0.9 * NUMBER < len(codes) < NUMBER
    assert all(is_valid(code) and code.startswith("91330109HH") for code in codes)
    assert all(e["credit_code"] or e["external_id"] for e in made[models.Enterprise])


def test_telephone_numbers_belong_to_nobody(made: Rows) -> None:
    phones = {value for rows in made.values() for row in rows for key, value in row.items() if key.endswith("phone")}
    phones |= {member["phone"] for unit in made[models.CommandUnit] for member in unit["members"]}
    assert all(phone is None or (len(phone) == 11 and phone.startswith("154")) for phone in phones)


def test_cameras_have_valid_device_ids_and_places(made: Rows) -> None:
    cameras = made[models.Camera]
    devices = [camera["device_id"] for camera in cameras]
    assert len(set(devices)) == len(devices)
    assert all(len(device) == 20 and device.isdigit() for device in devices)
    assert all(".example.invalid/" in camera["stream_url"] for camera in cameras)
    assert {camera["online"] for camera in cameras} == {True, False}
    located = {venue["id"] for venue in made[models.Venue] if venue["latitude"] is not None}
    assert {camera["venue_id"] for camera in cameras if "venue_id" in camera} == located


# Consistency


def test_only_plans_and_deadlines_lie_in_the_future(made: Rows) -> None:
    to_come = {"planned_for", "deadline", "fix_deadline", "from_deadline", "to_deadline"}
    for table, rows in made.items():
        for row in rows:
            for key, value in row.items():
                if isinstance(value, dt.datetime) and key not in to_come:
                    assert value <= MIDNIGHT, (table, key, row)
                elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
                    assert value < TODAY


def in_order(row: dict[str, Any], *keys: str) -> bool:
    times = [row[key] for key in keys if row.get(key) is not None]
    return times == sorted(times)


FIVE_FIXES = {"fix_responsibility", "fix_measures", "fix_funds", "fix_deadline", "fix_contingency_plan"}


def test_hazards_are_consistent(made: Rows) -> None:
    rectified = {HazardStatus.PENDING_ACCEPTANCE, HazardStatus.ACCEPTED, HazardStatus.CLOSED}
    early = {HazardStatus.FOUND, HazardStatus.UNDER_REVIEW, HazardStatus.DISMISSED}
    extended = {row["hazard_id"] for row in made[models.DeadlineExtension]}
    for row in made[models.Hazard]:
        status = row["status"]
        assert in_order(row, "found_at", "rectified_at", "accepted_at", "closed_at")
        assert (row.get("rectified_at") is not None) == (status in rectified)
        assert (row.get("accepted_at") is not None) == (status in {HazardStatus.ACCEPTED, HazardStatus.CLOSED})
        assert (row.get("closed_at") is not None) == (status is HazardStatus.CLOSED)
        assert (row.get("owner_name") is None) == (status in early)
        fixes = {key for key in row if key.startswith("fix_")}
        planned = row["level"] is HazardLevel.MAJOR and status not in early | {HazardStatus.ASSIGNED}
        assert fixes == (FIVE_FIXES if planned else set())
        if row["id"] in extended:
            assert row["deadline"] is not None
        if row["inspection_id"] is None:
            assert status is not HazardStatus.FOUND
        else:
            assert status is not HazardStatus.UNDER_REVIEW
    overdue = [
        row
        for row in made[models.Hazard]
        if row["status"] not in models.HAZARD_SETTLED and row.get("deadline") and row["deadline"] < MIDNIGHT
    ]
    assert overdue


def test_extensions_are_consistent_with_their_hazards(made: Rows) -> None:
    hazards = by_id(made[models.Hazard])
    for row in made[models.DeadlineExtension]:
        assert row["requested_at"] < row["from_deadline"] < row["to_deadline"]
        assert (row["decided_at"] is None) == (row["status"] is ExtensionStatus.REQUESTED)
        assert in_order(row, "requested_at", "decided_at")
        approved = row["status"] is ExtensionStatus.APPROVED
        assert hazards[row["hazard_id"]]["deadline"] == row["to_deadline" if approved else "from_deadline"]


COURSE = [
    InspectionStatus.PLANNED,
    InspectionStatus.DISPATCHED,
    InspectionStatus.ACKNOWLEDGED,
    InspectionStatus.EN_ROUTE,
    InspectionStatus.ON_SITE,
    InspectionStatus.SUBMITTED,
]
STAMPS = ["dispatched_at", "acknowledged_at", "departed_at", "arrived_at", "submitted_at"]


def test_inspections_are_consistent(made: Rows) -> None:
    crews = Counter(row["inspection_id"] for row in made[models.InspectionInspector])
    on_duty = {row["id"] for row in made[models.Inspector] if row["on_duty"]}
    sent = defaultdict(set)
    for row in made[models.InspectionInspector]:
        sent[row["inspection_id"]].add(row["inspector_id"])
    for row in made[models.Inspection]:
        status = row["status"]
        assert in_order(row, *STAMPS, "closed_at")
        assert 1 <= crews[row["id"]] <= 3
        assert (row.get("closed_at") is not None) == (status is InspectionStatus.CLOSED)
        if status is InspectionStatus.CANCELLED:
            assert row.get("departed_at") is None
        else:
            steps = COURSE.index(status) if status in COURSE else len(STAMPS)
            assert [row.get(stamp) is not None for stamp in STAMPS] == [place < steps for place in range(len(STAMPS))]
            if 0 < steps < len(STAMPS):
                assert sent[row["id"]] <= on_duty
        assert (row.get("result") is None) == (row.get("submitted_at") is None)
        assert ("reinspection_of_id" in row) == (row["kind"] is InspectionKind.REINSPECTION)
        assert ("assistance_request_id" in row) == (row["kind"] is InspectionKind.ASSISTANCE)


def test_inspections_are_consistent_with_their_hazards(made: Rows) -> None:
    hazards = defaultdict(list)
    for row in made[models.Hazard]:
        if row["inspection_id"]:
            hazards[row["inspection_id"]].append(row)
    inspections = by_id(made[models.Inspection])
    carried = set()
    for row in made[models.Inspection]:
        if row["kind"] is InspectionKind.REINSPECTION:
            repeated = inspections[row["reinspection_of_id"]]
            assert repeated["enterprise_id"] == row["enterprise_id"]
            assert hazards[repeated["id"]]
            assert repeated["submitted_at"] < row["planned_for"]
            if row["status"] is not InspectionStatus.CANCELLED:
                carried.add(repeated["id"])
    for row in inspections.values():
        own_hazards = hazards[row["id"]]
        assert bool(own_hazards) == (row.get("result") is models.InspectionResult.HAZARDS_FOUND)
        assert all(
            h["enterprise_id"] == row["enterprise_id"] and h["found_at"] == row["submitted_at"] for h in own_hazards
        )
        if row["status"] is InspectionStatus.CLOSED and row["id"] not in carried:
            assert all(hazard["status"] in HAZARD_TERMINAL for hazard in own_hazards)


def test_derived_columns_of_enterprises_equal_their_rows(made: Rows) -> None:
    still_open = Counter(h["enterprise_id"] for h in made[models.Hazard] if h["status"] not in HAZARD_TERMINAL)
    submitted: dict[int, dt.datetime] = {}
    for row in made[models.Inspection]:
        if row["status"] is not InspectionStatus.CANCELLED and row.get("submitted_at"):
            number = row["enterprise_id"]
            submitted[number] = max(submitted.get(number, row["submitted_at"]), row["submitted_at"])
    for row in made[models.Enterprise]:
        assert row["open_hazards"] == still_open[row["id"]]
        assert row["last_inspected_at"] == submitted.get(row["id"])


def test_requests_for_help_are_consistent_with_their_inspections(made: Rows) -> None:
    visits = {row["assistance_request_id"]: row for row in made[models.Inspection] if "assistance_request_id" in row}
    for row in made[models.AssistanceRequest]:
        visit = visits.get(row["id"])
        assert (row.get("resolved_at") is not None) == (row["status"] is AssistanceStatus.RESOLVED)
        assert in_order(row, "requested_at", "resolved_at")
        if row["status"] is AssistanceStatus.DISPATCHED:
            assert visit is not None
            assert visit["status"] in COURSE[1:]
        elif row["status"] is AssistanceStatus.RESOLVED:
            assert visit is None or visit["submitted_at"] <= row["resolved_at"]
        else:
            assert visit is None or visit["status"] is InspectionStatus.CANCELLED


def test_cases_are_consistent(made: Rows) -> None:
    inspections = by_id(made[models.Inspection])
    penalised = {CaseStatus.DECIDED, CaseStatus.EXECUTING}
    undecided = {
        CaseStatus.PROPOSED,
        CaseStatus.FILED,
        CaseStatus.NOT_FILED,
        CaseStatus.INVESTIGATING,
        CaseStatus.NOTIFIED,
        CaseStatus.HEARING,
    }
    for row in made[models.Case]:
        status = row["status"]
        inspection = inspections[row["inspection_id"]]
        assert inspection["enterprise_id"] == row["enterprise_id"]
        assert inspection["submitted_at"] <= row.get("filed_at", MIDNIGHT)
        assert in_order(row, "filed_at", "decided_at", "closed_at")
        filed = status not in {CaseStatus.PROPOSED, CaseStatus.NOT_FILED}
        assert (row.get("filed_at") is not None) == (row.get("number") is not None) == filed
        assert (row.get("decided_at") is None) == (status in undecided)
        assert (row.get("closed_at") is not None) == (status is CaseStatus.CLOSED)
        if status in penalised:
            assert row["penalty_kinds"]
        elif status is not CaseStatus.CLOSED:
            assert row.get("penalty_kinds") is None
        fined = models.PenaltyKind.FINE in (row.get("penalty_kinds") or [])
        assert (row.get("fine_yuan") is not None) == fined


def test_reserves_equal_the_units_of_dispatches(made: Rows) -> None:
    held: Counter[int] = Counter()
    for row in made[models.Dispatch]:
        status = row["status"]
        sent = [key for key in ("team_id", "expert_id", "stock_item_id") if key in row]
        if status is DispatchStatus.REQUESTED:
            assert not sent
        elif status is not DispatchStatus.CANCELLED:
            assert len(sent) == 1
        there = status in {DispatchStatus.ON_SCENE, DispatchStatus.COMPLETED, DispatchStatus.RELEASED}
        assert (row["arrived_at"] is not None) == there
        assert (row["completed_at"] is not None) == (there and status is not DispatchStatus.ON_SCENE)
        assert in_order(row, "requested_at", "arrived_at", "completed_at")
        if "stock_item_id" in row and status not in models.DISPATCH_OVER:
            held[row["stock_item_id"]] += row["quantity"] - row.get("drawn", 0)
    assert sum(held.values()) > 0
    assert {item["id"]: item["reserved"] for item in made[models.StockItem] if item["reserved"]} == dict(+held)
    assert all(item["reserved"] <= item["quantity"] for item in made[models.StockItem])


def test_nobody_is_in_two_places_at_once(made: Rows) -> None:
    for key in ("team_id", "expert_id"):
        away = [row[key] for row in made[models.Dispatch] if key in row and row["status"] not in models.DISPATCH_OVER]
        assert len(set(away)) == len(away)
