"""What a transition needs besides a legal state, and the field that a refusal names."""

import pytest
import sqlalchemy as sa
from graphql import GraphQLInputObjectType, GraphQLNonNull

import models
from schema.types import node_id
from tests.conftest import NOW
from tests.support.actors import DAY, DUTY, HOUR, at, change, contents, inspector, log_after, row_of
from tests.support.district import GONE, SOON, Office, finding
from tests.support.lifecycle_table import valid_inputs

# -- hazards --


async def test_a_major_hazard_needs_all_five_fixes(office: Office) -> None:
    hazard = await office.hazard("MAJOR", "ASSIGNED")
    assert await office.invalid(office.world.own, "hazardStartRectifying", hazard=hazard) == "fiveFix"
    fixes = valid_inputs(office.world)["hazardStartRectifying"]["fiveFix"]
    for name in set(fixes) - {"deadline"}:
        less = {**fixes, name: " "}
        assert await office.invalid(DUTY, "hazardStartRectifying", hazard=hazard, fiveFix=less) == f"fiveFix.{name}"
    answer = await office.done(office.world.own, "hazardStartRectifying", hazard=hazard, fiveFix=fixes)
    assert answer["hazard"]["status"] == "RECTIFYING"
    row = await row_of(office.database, models.Hazard, node_id.key_of(hazard, "Hazard"))
    assert (row.fix_responsibility, row.fix_measures, row.fix_funds, row.fix_contingency_plan) == ("落实",) * 4
    assert row.fix_deadline == NOW + 10 * DAY


async def test_a_general_hazard_needs_no_fixes(office: Office) -> None:
    hazard = await office.hazard("GENERAL", "ASSIGNED")
    started = await office.done(office.world.own, "hazardStartRectifying", hazard=hazard)
    assert started["hazard"]["status"] == "RECTIFYING"


async def test_a_rectification_needs_evidence_or_a_statement(office: Office) -> None:
    hazard = await office.hazard(upto="RECTIFYING")
    assert await office.invalid(DUTY, "hazardSubmitRectification", hazard=hazard) == "statement"
    evidence = [office.world.id("evidence")]
    submitted = await office.done(DUTY, "hazardSubmitRectification", hazard=hazard, evidence=evidence)
    assert submitted["hazard"]["status"] == "PENDING_ACCEPTANCE"


async def test_a_deadline_must_be_in_the_future(office: Office) -> None:
    hazard = await office.hazard()
    owner = {"name": "责任人"}
    assert await office.invalid(DUTY, "hazardAssign", hazard=hazard, owner=owner, deadline=GONE) == "deadline"
    assert await office.invalid(DUTY, "hazardAssign", hazard=hazard, owner=owner, deadline=at(NOW)) == "deadline"
    report = {"enterprise": office.enterprise, "level": "GENERAL", "description": "隐患"}
    assert await office.invalid(DUTY, "hazardReport", **report, deadline=GONE) == "deadline"
    visit = await office.visit()
    late = {"result": "HAZARDS_FOUND", "findings": [finding(deadline=GONE)]}
    assert await office.invalid(DUTY, "inspectionSubmit", inspection=visit, **late) == "findings.deadline"


async def test_the_first_status_of_a_reported_hazard_depends_on_the_reporter(office: Office) -> None:
    report = {"enterprise": office.enterprise, "level": "GENERAL", "description": "隐患"}
    for viewer, status in ((office.world.own, "UNDER_REVIEW"), (office.world.officer, "FOUND"), (DUTY, "FOUND")):
        assert (await office.done(viewer, "hazardReport", **report))["hazard"]["status"] == status


@pytest.mark.parametrize(
    "mutation", ["hazardDismiss", "hazardReject", "hazardReopen", "inspectionReturn", "inspectionCancel"]
)
async def test_a_reason_is_required(office: Office, mutation: str) -> None:
    noun = "hazard" if mutation.startswith("hazard") else "inspection"
    subject = await office.hazard() if noun == "hazard" else await office.visit("PLANNED")
    assert await office.invalid(DUTY, mutation, **{noun: subject, "reason": " \n"}) == "reason"
    input_type = office.graph._schema.type_map[f"{mutation[0].upper()}{mutation[1:]}Input"]
    assert isinstance(input_type, GraphQLInputObjectType)
    assert isinstance(input_type.fields["reason"].type, GraphQLNonNull)


async def test_refused_and_approved_extensions_are_both_stored(office: Office) -> None:
    hazard = await office.hazard(upto="RECTIFYING")
    request = {"hazard": hazard, "to": at(NOW + 20 * DAY), "reason": "缺配件"}
    own = office.world.own
    assert await office.invalid(DUTY, "hazardDecideExtension", hazard=hazard, approve=True) == "hazard"
    assert await office.invalid(own, "hazardRequestExtension", **{**request, "to": SOON}) == "to"
    assert (await office.done(own, "hazardRequestExtension", **request))["hazard"]["version"] == 4
    assert await office.invalid(own, "hazardRequestExtension", **request) == "hazard"
    shown = "hazard { deadline version status extensions { from to reason status requestedAt decidedAt } }"
    refused = await office.done(DUTY, "hazardDecideExtension", shown, hazard=hazard, approve=False)
    assert refused["hazard"]["deadline"] == SOON
    office.later(DAY)
    second = {**request, "to": at(NOW + 30 * DAY)}
    await office.done(own, "hazardRequestExtension", **second)
    answer = (await office.done(DUTY, "hazardDecideExtension", shown, hazard=hazard, approve=True))["hazard"]
    assert (answer["deadline"], answer["version"], answer["status"]) == (at(NOW + 30 * DAY), 7, "RECTIFYING")
    extensions = [(e["from"], e["to"], e["status"], e["requestedAt"], e["decidedAt"]) for e in answer["extensions"]]
    assert extensions == [
        (SOON, at(NOW + 20 * DAY), "REFUSED", at(NOW), at(NOW)),
        (SOON, at(NOW + 30 * DAY), "APPROVED", at(NOW + DAY), at(NOW + DAY)),
    ]


async def test_overdue_is_derived_from_the_deadline_in_force(office: Office) -> None:
    hazard = await office.hazard(upto="RECTIFYING")
    await office.done(DUTY, "hazardRequestExtension", hazard=hazard, to=at(NOW + 20 * DAY), reason="缺配件")
    query = "query($id: ID!) { node(id: $id) { ... on Hazard { overdue } } }"
    office.later(11 * DAY)
    assert (await office.ask(query, id=hazard))["node"]["overdue"]
    await office.done(DUTY, "hazardDecideExtension", hazard=hazard, approve=True)
    assert not (await office.ask(query, id=hazard))["node"]["overdue"]
    office.later(10 * DAY)
    assert (await office.ask(query, id=hazard))["node"]["overdue"]
    await office.done(DUTY, "hazardSubmitRectification", hazard=hazard, statement="已整改")
    await office.done(DUTY, "hazardAccept", hazard=hazard)
    assert not (await office.ask(query, id=hazard))["node"]["overdue"]


# -- inspections --


async def test_only_a_general_hazard_can_be_fixed_on_the_spot_which_leaves_two_events(office: Office) -> None:
    visit = await office.visit()
    major = {"result": "HAZARDS_FOUND", "findings": [finding("MAJOR", fixedOnSpot=True)]}
    assert await office.invalid(DUTY, "inspectionSubmit", inspection=visit, **major) == "findings.fixedOnSpot"
    [answer] = await office.submit(visit, finding(fixedOnSpot=True))
    assert answer["status"] == "PENDING_ACCEPTANCE"
    key = node_id.key_of(answer["id"], "Hazard")
    events = [e for e in await log_after(office.database) if (e.subject, e.subject_id) == (models.Subject.HAZARD, key)]
    assert [(e.kind.name, e.subject_id, e.from_status, e.to_status) for e in events] == [
        ("HAZARD_FOUND", key, None, "FOUND"),
        ("HAZARD_RECTIFICATION_SUBMITTED", key, "FOUND", "PENDING_ACCEPTANCE"),
    ]
    assert (await row_of(office.database, models.Hazard, key)).rectified_at == NOW


async def test_only_inspectors_on_duty_can_be_dispatched(office: Office) -> None:
    plan = {"enterprise": office.enterprise, "kind": "ROUTINE", "plannedFor": SOON}
    resting = [office.world.id("resting")]
    empty = (await office.done(DUTY, "inspectionPlan", **plan))["inspection"]["id"]
    assert await office.invalid(DUTY, "inspectionDispatch", inspection=empty) == "inspectors"
    assert await office.invalid(DUTY, "inspectionDispatch", inspection=empty, inspectors=resting) == "inspectors"
    planned = (await office.done(DUTY, "inspectionPlan", **plan, inspectors=resting))["inspection"]["id"]
    assert await office.invalid(DUTY, "inspectionDispatch", inspection=planned) == "inspectors"
    two = [office.world.id("inspector"), office.world.id("other_inspector")]
    shown = "inspection { status inspectors { id } }"
    sent = await office.done(DUTY, "inspectionDispatch", shown, inspection=planned, inspectors=[*two, two[0]])
    assert sent["inspection"]["status"] == "DISPATCHED"
    assert sorted(i["id"] for i in sent["inspection"]["inspectors"]) == sorted(two)


async def test_an_inspector_can_plan_only_for_themselves(office: Office) -> None:
    plan = {"enterprise": office.enterprise, "kind": "ROUTINE", "plannedFor": SOON}
    other = [office.world.id("other_inspector")]
    assert await office.refused(office.world.officer, "inspectionPlan", **plan, inspectors=other) == "Forbidden"
    answer = await office.done(office.world.officer, "inspectionPlan", "inspection { inspectors { id } }", **plan)
    assert answer["inspection"]["inspectors"] == [{"id": office.world.id("inspector")}]


async def test_a_reinspection_names_a_submitted_inspection_of_the_same_enterprise(office: Office) -> None:
    plan = {"enterprise": office.enterprise, "plannedFor": SOON}
    before = await office.visit("SUBMITTED")
    for wrong in (
        {"kind": "REINSPECTION"},
        {"kind": "ROUTINE", "reinspectionOf": before},
        {"kind": "REINSPECTION", "reinspectionOf": await office.visit("ON_SITE")},
        {"kind": "REINSPECTION", "reinspectionOf": before, "enterprise": office.world.id("other_enterprise")},
    ):
        assert await office.invalid(DUTY, "inspectionPlan", **{**plan, **wrong}) == "reinspectionOf"
    assert await office.invalid(DUTY, "inspectionPlan", **plan, kind="ASSISTANCE") == "kind"
    shown = "inspection { reinspectionOf { id } }"
    answer = await office.done(DUTY, "inspectionPlan", shown, **plan, kind="REINSPECTION", reinspectionOf=before)
    assert answer["inspection"]["reinspectionOf"]["id"] == before


async def test_the_result_hazards_found_needs_1_to_100_findings(office: Office) -> None:
    visit = await office.visit()
    assert await office.invalid(DUTY, "inspectionSubmit", inspection=visit, result="HAZARDS_FOUND") == "findings"
    many = [finding()] * 101
    assert await office.invalid(DUTY, "inspectionSubmit", inspection=visit, result="PASS", findings=many) == "findings"
    assert len(await office.submit(visit, *many[:100])) == 100


async def test_an_inspection_cannot_be_closed_while_it_has_open_hazards(office: Office) -> None:
    visit = await office.visit()
    hazards = [h["id"] for h in await office.submit(visit, finding(), finding())]
    await office.done(DUTY, "inspectionReview", inspection=visit)
    assert await office.invalid(DUTY, "inspectionClose", inspection=visit) == "inspection"
    for hazard in hazards:
        assert await office.invalid(DUTY, "inspectionClose", inspection=visit) == "inspection"
        await office.done(DUTY, "hazardDismiss", hazard=hazard, reason="误报")
    closed = await office.done(DUTY, "inspectionClose", inspection=visit)
    assert closed["inspection"]["status"] == "CLOSED"


async def test_an_inspection_with_open_hazards_can_be_closed_if_a_reinspection_is_planned(office: Office) -> None:
    visit = await office.visit()
    [hazard] = await office.submit(visit, finding())
    await office.done(DUTY, "inspectionReview", inspection=visit)
    plan = {"enterprise": office.enterprise, "kind": "REINSPECTION", "plannedFor": SOON, "reinspectionOf": visit}
    cancelled = (await office.done(DUTY, "inspectionPlan", **plan))["inspection"]["id"]
    await office.done(DUTY, "inspectionCancel", inspection=cancelled, reason="改期")
    assert await office.invalid(DUTY, "inspectionClose", inspection=visit) == "inspection"
    other = inspector(office.world.other_inspector)
    await office.done(DUTY, "inspectionPlan", **plan, inspectors=[office.world.id("other_inspector")])
    closed = await office.done(DUTY, "inspectionClose", inspection=visit)
    assert closed["inspection"]["status"] == "CLOSED"
    # The inspector of the re-inspection is responsible for the hazard too.
    for step, more in (("Assign", valid_inputs(office.world)["hazardAssign"]), ("StartRectifying", {})):
        await office.done(DUTY, f"hazard{step}", hazard=hazard["id"], **more)
    await office.done(DUTY, "hazardSubmitRectification", hazard=hazard["id"], statement="已整改")
    accepted = await office.done(other, "hazardAccept", hazard=hazard["id"])
    assert accepted["hazard"]["status"] == "ACCEPTED"


async def test_after_a_return_findings_amend_hazards_by_id_and_duplicate_none(office: Office) -> None:
    visit = await office.visit()
    first, second = await office.submit(visit, finding(), finding("MAJOR"), summary="初稿")
    await office.done(DUTY, "inspectionReview", inspection=visit)
    await office.done(DUTY, "inspectionReturn", inspection=visit, reason="不全")
    office.later(HOUR)
    amended = {"level": "MAJOR", "description": "线路严重老化", "category": "ELECTRICAL", "hazard": first["id"]}
    third, fourth = await office.submit(visit, amended, finding(description="堵塞通道"), summary="终稿")
    assert (third["id"], third["version"]) == (first["id"], 2)
    assert fourth["id"] not in (first["id"], second["id"])
    answer = (await contents(office.database, models.Hazard))["hazard"].values()
    rows = [row for row in answer if row.enterprise_id == office.world.enterprise]
    assert [(row.description, row.level.name) for row in rows] == [
        ("线路严重老化", "MAJOR"),
        ("线路老化", "MAJOR"),
        ("堵塞通道", "GENERAL"),
    ]
    assert (await row_of(office.database, models.Enterprise, office.world.enterprise)).open_hazards == 3
    row = await row_of(office.database, models.Inspection, node_id.key_of(visit, "Inspection"))
    assert (row.submitted_at, row.summary) == (NOW + HOUR, "终稿")


async def test_only_own_hazards_in_state_found_can_be_amended(office: Office) -> None:
    other = await office.hazard()
    visit = await office.visit()
    [assigned] = await office.submit(visit, finding())
    await office.done(DUTY, "hazardAssign", hazard=assigned["id"], **valid_inputs(office.world)["hazardAssign"])
    await office.done(DUTY, "inspectionReview", inspection=visit)
    await office.done(DUTY, "inspectionReturn", inspection=visit, reason="不全")
    for hazard in (other, assigned["id"]):
        submission = {"result": "HAZARDS_FOUND", "findings": [finding(hazard=hazard)]}
        assert await office.invalid(DUTY, "inspectionSubmit", inspection=visit, **submission) == "findings.hazard"
    # The result HAZARDS_FOUND is satisfied by the hazard of the first submission.
    assert await office.submit(visit) == []
    row = await row_of(office.database, models.Inspection, node_id.key_of(visit, "Inspection"))
    assert row.status.name == "SUBMITTED"


# -- the others --


async def test_cancelling_the_inspection_reopens_the_request_for_help(office: Office) -> None:
    request = await office.done(office.world.own, "assistanceRequest", enterprise=office.enterprise, problem="排水")
    request_id = request["assistanceRequest"]["id"]
    sent = await office.done(DUTY, "assistanceDispatch", assistanceRequest=request_id)
    answer = await office.done(
        DUTY, "inspectionCancel", "inspection { status assistanceRequest { id status version } }",
        inspection=sent["inspection"]["id"], reason="改派",
    )  # fmt: skip
    assert answer["inspection"] == {
        "status": "CANCELLED",
        "assistanceRequest": {"id": request_id, "status": "OPEN", "version": 3},
    }
    assert [e.kind.name for e in await log_after(office.database)][-2:] == [
        "INSPECTION_CANCELLED",
        "ASSISTANCE_REOPENED",
    ]
    again = await office.done(DUTY, "assistanceDispatch", assistanceRequest=request_id)
    await office.done(DUTY, "assistanceResolve", assistanceRequest=request_id, resolution="电话解决")
    await office.done(DUTY, "inspectionCancel", inspection=again["inspection"]["id"], reason="已解决")
    key = node_id.key_of(request_id, "AssistanceRequest")
    assert (await row_of(office.database, models.AssistanceRequest, key)).status.name == "RESOLVED"


async def test_help_needs_inspectors_on_duty(office: Office) -> None:
    request = await office.done(DUTY, "assistanceRequest", enterprise=office.enterprise, problem="排水")
    some = {"assistanceRequest": request["assistanceRequest"]["id"]}
    for count in (0, 21, -1):
        assert await office.invalid(DUTY, "assistanceDispatch", **some, count=count) == "count"
    assert (
        await office.invalid(DUTY, "assistanceDispatch", **some, inspectors=[office.world.id("resting")])
        == "inspectors"
    )
    await change(office.database, sa.update(models.Inspector).values(on_duty=False))
    assert await office.invalid(DUTY, "assistanceDispatch", **some) == "inspectors"


async def test_only_the_outcome_decided_has_a_penalty(office: Office) -> None:
    visit = await office.visit("SUBMITTED")
    case = (await office.done(DUTY, "casePropose", inspection=visit, grounds="违法"))["case"]["id"]
    for step in ("File", "Investigate", "Notify"):
        await office.done(DUTY, f"case{step}", case=case)
    fine = {"kinds": ["FINE"], "fineYuan": 1}
    for outcome, penalty, blamed in (
        ("DECIDED", None, "penalty"),
        ("DECIDED", {"kinds": []}, "penalty"),
        ("NO_PENALTY", fine, "penalty"),
        ("WITHDRAWN", {"kinds": ["WARNING"]}, "penalty"),
        ("DECIDED", {"kinds": ["FINE"]}, "penalty.fineYuan"),
        ("DECIDED", {"kinds": ["WARNING"], "fineYuan": 1}, "penalty.fineYuan"),
        ("DECIDED", {"kinds": ["FINE"], "fineYuan": -1}, "penalty.fineYuan"),
        ("TRANSFERRED", {"kinds": [], "fineYuan": 0}, "penalty.fineYuan"),
    ):
        assert await office.invalid(DUTY, "caseDecide", case=case, outcome=outcome, penalty=penalty) == blamed
    shown = "case { status penalty { kinds fineYuan } }"
    answer = await office.done(DUTY, "caseDecide", shown, case=case, outcome="DECIDED", penalty=fine)
    assert answer["case"] == {"status": "DECIDED", "penalty": fine}


async def test_the_number_of_a_case_is_unique(office: Office) -> None:
    visit = await office.visit("SUBMITTED")
    cases = [(await office.done(DUTY, "casePropose", inspection=visit, grounds="违法"))["case"]["id"] for _ in range(3)]
    await office.done(DUTY, "caseFile", case=cases[0], number="萧应急〔2026〕1号")
    assert await office.invalid(DUTY, "caseFile", case=cases[1], number="萧应急〔2026〕1号") == "number"
    answer = [(await office.done(DUTY, "caseFile", "case { number }", case=c))["case"]["number"] for c in cases[1:]]
    assert answer == [f"2026-{node_id.key_of(case, 'Case'):06d}" for case in cases[1:]]
