"""An input is refused with all that is wrong with it: in itself, and then with the rows that it is about."""

from typing import Any

from tests.support.actors import DUTY, contents
from tests.support.district import Office, finding
from tests.support.lifecycle_table import valid_inputs as needs


async def errors_of(office: Office, mutation: str, **given: Any) -> list[tuple[str, str, str]]:
    """The field, reason and message of each error of an input, which must be invalid."""
    answer = await office.act(DUTY, mutation, **given)
    assert answer["__typename"] == "InvalidInput", answer
    [first, *_] = errors = answer["errors"]
    assert (answer["message"], answer["reason"], answer["parameters"]) == (
        first["message"],
        first["reason"],
        first["parameters"],
    )
    return [(error["field"], error["reason"], error["message"]) for error in errors]


async def test_all_problems_of_an_input_come_at_once(office: Office) -> None:
    far = {"latitude": 91, "longitude": 181}
    wrong = {"creditCode": "x", "name": None, "majorHazardLevel": 9}
    degrees = ("DEGREES_RANGE", "From -90 to 90 degrees."), ("DEGREES_RANGE", "From -180 to 180 degrees.")
    assert await errors_of(office, "enterpriseUpsert", **wrong, externalId=" ", location=far, clientMutationId="") == [
        ("clientMutationId", "TEXT_BLANK", "It must not be blank; leave it out or give null instead."),
        ("externalId", "TEXT_BLANK", "It must not be blank; leave it out or give null instead."),
        ("location.latitude", *degrees[0]),
        ("location.longitude", *degrees[1]),
    ]
    # Problems with rows are reported once the input is good by itself.
    assert await errors_of(office, "enterpriseUpsert", **wrong) == [
        ("creditCode", "CREDIT_CODE", "Not a valid unified social credit code (GB 32100-2015)."),
        ("name", "NAME_CLEARED", "A name cannot be cleared."),
        ("majorHazardLevel", "NUMBER_RANGE", "From 1 to 4."),
    ]
    visit, past = await office.visit(), "2020-01-01T00:00:00Z"
    findings = [finding(deadline=past), finding("MAJOR", deadline=past, fixedOnSpot=True), finding()]
    before = await contents(office.database)
    assert await errors_of(office, "inspectionSubmit", inspection=visit, result="HAZARDS_FOUND", findings=findings) == [
        ("findings.0.deadline", "TIME_PAST", "The time must be in the future."),
        ("findings.1.deadline", "TIME_PAST", "The time must be in the future."),
        ("findings.1.fixedOnSpot", "MAJOR_FIXED_ON_SPOT", "A major hazard cannot be fixed on the spot."),
    ]
    assert await contents(office.database) == before
    many = ["水"] * 51
    duty = {**needs(office.world)["dutyReportSubmit"], "expertsOnStandby": -1, "problems": many}
    assert [field for field, _, _ in await errors_of(office, "dutyReportSubmit", **duty)] == [
        "expertsOnStandby",
        "problems",
    ]


async def fields_at_fault(office: Office, mutation: str, **given: Any) -> list[tuple[str, str]]:
    """The field and reason of each error; nothing has changed."""
    before = await contents(office.database)
    errors = await errors_of(office, mutation, **given)
    assert await contents(office.database) == before
    return [(field, reason) for field, reason, _ in errors]


async def test_all_problems_with_rows_come_at_once(office: Office) -> None:
    past, off_duty = "2020-01-01T00:00:00Z", office.world.id("resting")
    code = "91350100M000100Y43"
    await office.done(DUTY, "enterpriseUpsert", creditCode=code, name="有码企业")
    two = {"creditCode": code, "externalId": f"e0{office.world.mark}", "majorHazardLevel": 9}
    assert await fields_at_fault(office, "enterpriseUpsert", **two) == [
        ("majorHazardLevel", "NUMBER_RANGE"),
        ("externalId", "ENTERPRISE_KEYS"),
    ]
    assert await fields_at_fault(office, "enterpriseUpsert", externalId="neu", majorHazardLevel=9) == [
        ("majorHazardLevel", "NUMBER_RANGE"),
        ("name", "ENTERPRISE_NAME"),
    ]
    rain = {**needs(office.world)["rainfallReport"], "millimetres": -1, "at": "2099-01-01T00:00:00Z"}
    assert await fields_at_fault(office, "rainfallReport", **rain) == [
        ("millimetres", "NUMBER_RANGE"),
        ("at", "TIME_IN_FUTURE"),
    ]
    request = await office.done(DUTY, "assistanceRequest", enterprise=office.enterprise, problem="水")
    help_ = {"assistanceRequest": request["assistanceRequest"]["id"], "count": 0, "inspectors": [off_duty]}
    assert await fields_at_fault(office, "assistanceDispatch", **help_) == [
        ("count", "NUMBER_RANGE"),
        ("inspectors", "INSPECTOR_OFF_DUTY"),
    ]
    visit, hazard = await office.visit("PLANNED"), await office.hazard(upto="ASSIGNED")
    plan = {**needs(office.world)["inspectionPlan"], "kind": "ASSISTANCE", "reinspectionOf": visit}
    assert await fields_at_fault(office, "inspectionPlan", **plan) == [
        ("kind", "KIND_RESERVED"),
        ("reinspectionOf", "REINSPECTION_OF"),
        ("reinspectionOf", "REINSPECTION_ORIGINAL"),
    ]
    later = {"hazard": hazard, "reason": "雨"}
    await office.done(DUTY, "hazardRequestExtension", **later, to="2099-01-01T00:00:00Z")
    assert await fields_at_fault(office, "hazardRequestExtension", **later, to=past) == [
        ("to", "TIME_PAST"),
        ("hazard", "EXTENSION_UNDECIDED"),
        ("to", "EXTENSION_EARLIER"),
    ]


async def test_all_problems_of_a_dispatch_and_of_findings_come_at_once(office: Office) -> None:
    dispatch, team = await office.dispatch(), office.world.id("team")
    await office.done(DUTY, "teamSetStandby", team=team, onStandby=False)
    assert await fields_at_fault(office, "dispatchAssign", dispatch=dispatch, team=team, quantity=1) == [
        ("team", "RESOURCE_UNAVAILABLE"),
        ("quantity", "DISPATCH_QUANTITY"),
    ]
    assert await fields_at_fault(office, "dispatchAssign", dispatch=dispatch, quantity=1) == [
        ("team", "DISPATCH_RESOURCE"),
        ("quantity", "DISPATCH_QUANTITY"),
    ]
    other, moved_on = await office.hazard(), await office.visit("ON_SITE")
    findings = [
        {**finding("MAJOR", fixedOnSpot=True), "hazard": other},
        finding(deadline="2020-01-01T00:00:00Z"),
        {**finding(fixedOnSpot=True), "hazard": other},
    ]
    given = {"inspection": moved_on, "result": "HAZARDS_FOUND", "findings": findings}
    assert await fields_at_fault(office, "inspectionSubmit", **given) == [
        ("findings.0.fixedOnSpot", "MAJOR_FIXED_ON_SPOT"),
        ("findings.0.hazard", "FINDING_OF_OTHER_INSPECTION"),
        ("findings.1.deadline", "TIME_PAST"),
        ("findings.2.hazard", "FINDING_OF_OTHER_INSPECTION"),
    ]
