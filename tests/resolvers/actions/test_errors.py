"""A failure has its own type and names the field; it changes nothing. No input causes an internal error."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from graphql import get_named_type
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import models
from models.db.database import Database
from models.reason import Language
from models.visibility import Scope, Viewer
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import NOW, SHANGHAI, Databases
from tests.support.actors import DUTY, PROBLEMS, WALL, Contents, contents, document, program
from tests.support.district import Office, furnish, open_office
from tests.support.input_strategies import NODES, inputs, paths, plain, put, root_fields
from tests.support.lifecycle_table import valid_inputs as needs
from tests.support.proof_mode import examples

MISSING = 2**31 - 1
LONG = "长" * 4001


# -- one at a time --


@pytest.mark.exhaustive
async def test_every_field_refuses_invalid_texts_ids_and_times(office: Office, graph: Graph) -> None:
    there = await furnish(office)
    before = await contents(office.database)
    wrong = []
    for mutation, of in root_fields(graph).items():
        for path, type_ in paths(of):
            for bad in invalid_values(get_named_type(type_).name, path.rsplit(".", 1)[-1], there):
                arguments = plain("input", of, there.__getitem__, whole=True)
                put(arguments, path, bad)
                answer = await office.act(DUTY, mutation, **arguments)
                if (answer["__typename"], answer.get("field")) != ("InvalidInput", path):
                    wrong.append((mutation, path, bad[:20], answer))
    assert wrong == []
    assert await contents(office.database) == before


def invalid_values(kind: str, name: str, there: dict[str, list[str]]) -> list[str]:
    if kind == "String":
        return ["", " \n", "a\0b", "x\ud800", LONG]
    if kind == "DateTime":
        return ["2026-07-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
    if kind == "ID":
        other = next(node for node in sorted(there) if node != NODES[name])
        garbage = ["", "x", "1", "\0", "\ud800", "é", "Q" * 5000]
        return [there[other][0], *garbage, node_id.encode(NODES[name], 0), node_id.encode(NODES[name], 2**31)]
    return []


async def test_a_missing_row_is_not_found(office: Office, graph: Graph) -> None:
    there = await furnish(office)
    wrong = []
    for mutation, of in root_fields(graph).items():
        for path, type_ in paths(of):
            name = path.rsplit(".", 1)[-1]
            if get_named_type(type_).name != "ID" or path == "dispatch":
                continue
            arguments = {**plain("input", of, there.__getitem__), **needs(office.world).get(mutation, {})}
            arguments |= await further_arguments(office, mutation, path)
            missing = node_id.encode(NODES[name], MISSING)
            if "." not in path:
                arguments[path] = [missing] if path in ("inspectors", "evidence") else missing
            else:
                put(arguments, path, missing)
            answer = await office.act(DUTY, mutation, **arguments)
            if (answer["__typename"], answer.get("missing")) != ("NotFound", missing):
                wrong.append((mutation, path, answer))
    assert wrong == []


async def further_arguments(office: Office, mutation: str, path: str) -> dict[str, Any]:
    """What else the action needs to get as far as reading the row."""
    finding = {"level": "GENERAL", "description": "隐患", "hazard": "", "evidence": [""]}
    finding.pop("evidence" if path.endswith("hazard") else "hazard")
    answer: dict[tuple[str, str], dict[str, Any]] = {
        ("inspectionPlan", "reinspectionOf"): {"kind": "REINSPECTION"},
        ("dispatchAssign", "team"): {"stockItem": None, "quantity": None},
        ("dispatchAssign", "expert"): {"stockItem": None, "quantity": None},
        ("dispatchRequest", "stockItem"): {"quantity": 1},
    }
    more = answer.get((mutation, path), {})
    if mutation == "inspectionDispatch" and path != "inspection":
        return {"inspection": await office.visit("PLANNED")}
    if mutation == "inspectionSubmit" and path != "inspection":
        nested = {"findings": [finding]} if path.startswith("findings") else {}
        return {"inspection": await office.visit(), "result": "HAZARDS_FOUND" if nested else "PASS", **nested}
    if mutation == "hazardSubmitRectification" and path == "evidence":
        return {"hazard": await office.hazard(upto="RECTIFYING")}
    if mutation == "dispatchAssign":
        return {"dispatch": await office.dispatch(), **more}
    if mutation == "assistanceDispatch" and path == "inspectors":
        request = await office.done(DUTY, "assistanceRequest", enterprise=office.enterprise, problem="水")
        return {"assistanceRequest": request["assistanceRequest"]["id"]}
    return more


@pytest.mark.parametrize(
    ("mutation", "more", "blamed"),
    [
        ("enterpriseUpsert", {"externalId": None}, "creditCode"),
        ("enterpriseUpsert", {"creditCode": "91350100M000100Y4Z"}, "creditCode"),
        ("enterpriseUpsert", {"externalId": "neu"}, "name"),
        ("enterpriseUpsert", {"externalId": "neu", "name": None}, "name"),
        ("enterpriseUpsert", {"name": None}, "name"),
        ("enterpriseUpsert", {"name": "名" * 501}, "name"),
        ("enterpriseUpsert", {"externalId": "号" * 501, "name": "名"}, "externalId"),
        ("enterpriseUpsert", {"hazardousChemicals": None}, "hazardousChemicals"),
        ("enterpriseUpsert", {"majorHazardLevel": 0}, "majorHazardLevel"),
        ("enterpriseUpsert", {"majorHazardLevel": 5}, "majorHazardLevel"),
        ("enterpriseUpsert", {"location": {"latitude": 90.001, "longitude": 0}}, "location.latitude"),
        ("enterpriseUpsert", {"location": {"latitude": 0, "longitude": -180.1}}, "location.longitude"),
        ("dispatchRequest", {"to": {"latitude": -91, "longitude": 0}}, "to.latitude"),
        ("inspectorReportPosition", {"position": {"latitude": 0, "longitude": 181}}, "position.longitude"),
        ("inspectorReportPosition", {"at": "2026-06-15T04:01:01Z"}, "at"),
        ("rainfallReport", {"at": "2026-06-15T04:01:01Z"}, "at"),
        ("rainfallReport", {"millimetres": -0.1}, "millimetres"),
        ("rainfallReport", {"millimetres": 2000.1}, "millimetres"),
        ("rainfallReport", {"millimetres": 1e308}, "millimetres"),
        ("dutyReportSubmit", {"expertsOnStandby": -1}, "expertsOnStandby"),
        ("dutyReportSubmit", {"problems": ["水"] * 51}, "problems"),
        ("dutyReportSubmit", {"problems": ["水", " "]}, "problems"),
    ],
)
async def test_a_value_out_of_range_is_refused_with_its_field(
    office: Office, mutation: str, more: dict[str, Any], blamed: str
) -> None:
    assert await office.invalid(DUTY, mutation, **{**needs(office.world)[mutation], **more}) == blamed


@pytest.mark.parametrize("planned", [True, False])
async def test_failures_speak_the_readers_language(office: Office, graph: Graph, planned: bool) -> None:
    running = Executor(graph, office.database, SHANGHAI, lambda: NOW, planned=planned)
    hazard = await office.hazard(upto="CLOSED")

    async def failure(viewer: Viewer, mutation: str, **given: Any) -> Any:
        query = document(graph, mutation)
        answers = [
            await running.run(Operation(query, {"input": given}, language=language), viewer) for language in Language
        ]
        english, chinese = (answer.data[mutation] for answer in answers if answer.data)
        same = ("reason", "parameters", "__typename")
        assert [english[name] for name in same] == [chinese[name] for name in same]
        return english["reason"], english["message"], chinese["message"]

    assigned = {"hazard": hazard, "owner": {"name": "王"}, "deadline": "2099-01-01T00:00:00Z"}
    assert await failure(WALL, "hazardAssign", **assigned) == (
        "ROLE_FORBIDDEN",
        "hazardAssign needs COMMANDER; you are WALL.",
        "hazardAssign 需要角色 COMMANDER；您是 WALL。",
    )
    assert await failure(DUTY, "hazardAssign", **assigned) == (
        "STATUS_FINAL",
        "From CLOSED it cannot become ASSIGNED; that state is final.",
        "不能从 CLOSED 变为 ASSIGNED；该状态是最终状态。",
    )
    assert await failure(program(Scope.READ), "warningLift", warning="x") == (
        "ID_MALFORMED",
        "`x` is not an id of this graph.",
        "`x` 不是本图的 id。",
    )
    # Errors of the response, whose messages graphql-core writes or not.
    for query, english in (("{ zones { x } }", True), ("{ enterprises(first: 5000) { nodes { id } } }", False)):
        [error] = (await running.run(Operation(query, language=Language.CHINESE), DUTY)).errors
        assert error["message"].isascii() == english


@pytest.mark.parametrize("planned", [True, False])
async def test_all_successes_have_one_interface(office: Office, graph: Graph, planned: bool) -> None:
    running = Executor(graph, office.database, SHANGHAI, lambda: NOW, planned=planned)
    query = """mutation($input: InspectorSetDutyInput!) {
        inspectorSetDuty(input: $input) { ... on ActionSucceeded { cursor } ... on Problem { reason } } }"""
    inspector = node_id.encode("Inspector", office.world.inspector)
    answer = await running.run(Operation(query, {"input": {"inspector": inspector, "onDuty": True}}), DUTY)
    assert answer.data
    assert answer.data["inspectorSetDuty"].keys() == {"cursor"}
    assert answer.errors == []
    assert (running.plans is not None) == planned
    assert running.plans is None or running.plans.left == {}


async def test_the_longest_names_fit_into_their_indexes(office: Office) -> None:
    # Each character has four bytes and none repeats soon, so PostgreSQL cannot compress the index entry.
    long = "".join(chr(0x20000 + (n * 7919) % 42_000) for n in range(500))
    await office.done(DUTY, "enterpriseUpsert", externalId=long, name=long)
    case = await office.done(DUTY, "casePropose", inspection=await office.visit("SUBMITTED"), grounds=long * 8)
    await office.done(DUTY, "caseFile", case=case["case"]["id"], number=long)
    assert await office.invalid(DUTY, "caseFile", case=await proposed(office), number=long + "号") == "number"


async def proposed(office: Office) -> str:
    answer = await office.done(DUTY, "casePropose", inspection=await office.visit("SUBMITTED"), grounds="违法")
    case: str = answer["case"]["id"]
    return case


async def test_a_credit_code_and_an_external_id_of_two_enterprises_are_refused(office: Office) -> None:
    code = "91350100M000100Y43"
    await office.done(DUTY, "enterpriseUpsert", creditCode=code, name="有码企业")
    two = {"creditCode": code, "externalId": f"e0{office.world.mark}"}
    assert await office.invalid(DUTY, "enterpriseUpsert", **two) == "externalId"


# -- two people at once --


async def test_a_conflict_returns_the_current_row(office: Office) -> None:
    hazard = await office.hazard(upto="ASSIGNED")
    for seen in (1, 3, 0, -1):
        answer = await office.act(DUTY, "hazardDismiss", hazard=hazard, reason="误报", expectedVersion=seen)
        assert (answer["__typename"], answer["currentVersion"], answer["row"]["id"]) == ("Conflict", 2, hazard)
    fixes = needs(office.world)["hazardStartRectifying"]
    await office.done(DUTY, "hazardStartRectifying", hazard=hazard, expectedVersion=2, **fixes)
    late = {"hazard": hazard, "statement": "好", "expectedVersion": 2}
    assert await office.refused(DUTY, "hazardSubmitRectification", **late) == "Conflict"


async def test_every_mutation_with_expected_version_checks_it(office: Office, graph: Graph) -> None:
    there = await furnish(office)
    wrong = []
    for mutation, of in root_fields(graph).items():
        if "expectedVersion" not in of.fields:
            continue
        arguments = {**plain("input", of, there.__getitem__), **needs(office.world).get(mutation, {})}
        answer = await office.act(DUTY, mutation, **arguments, expectedVersion=99)
        if answer["__typename"] != "Conflict":
            wrong.append((mutation, answer))
    assert wrong == []


async def test_a_program_without_the_right_to_read_gets_a_conflict_without_the_row(office: Office) -> None:
    arguments = {**needs(office.world)["enterpriseUpsert"], "expectedVersion": 7}
    for scopes, row in ((set(), None), ({Scope.READ}, {"__typename": "Enterprise", "id": office.enterprise})):
        answer = await office.act(program(models.Scope.REGISTER, *scopes), "enterpriseUpsert", **arguments)
        assert (answer["__typename"], answer["row"]) == ("Conflict", row)


# -- anything at all --


@dataclass
class Playground:
    """A database with rows in many states: their ids, and its contents after the last mutation."""

    office: Office
    there: dict[str, list[str]]
    before: Contents


@pytest_asyncio.fixture(scope="module")
async def playground(databases: Databases, migrated_url: str, graph: Graph) -> AsyncIterator[Playground]:
    database = Database(await databases.new(migrated_url))
    office = await open_office(graph, database)
    yield Playground(office, await furnish(office), await contents(database))
    await database.close()


@given(data=st.data())
@settings(
    max_examples=examples(30, proof=15_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
async def test_random_input_gives_a_success_or_a_failure(playground: Playground, data: st.DataObject) -> None:
    office = playground.office
    mutation, of = data.draw(st.sampled_from(sorted(root_fields(office.graph).items())), label="mutation")
    arguments = data.draw(inputs(of, playground.there.__getitem__), label="input")
    answer = await office.running.run(Operation(document(office.graph, mutation), {"input": arguments}), DUTY)
    if answer.errors:
        assert {error["extensions"]["code"] for error in answer.errors} == {"BAD_VARIABLES"}
    result = answer.data and answer.data[mutation]["__typename"]
    event(f"{result}")
    after = await contents(office.database)
    if result is None or result in PROBLEMS:
        assert after == playground.before
    playground.before = after


@pytest.mark.database_independent
async def test_the_statuses_of_a_refused_step_stand_beside_the_row_of_a_conflict(office: Office) -> None:
    """The old name `current` stays selectable where nothing else has it."""
    case = await proposed(office)
    failures = "... on Conflict { current { id } } ... on IllegalTransition { currentStatus"
    for selection in (f"{failures} }}", "... on IllegalTransition { currentStatus current }"):
        query = f"mutation($input: CaseCloseInput!) {{ caseClose(input: $input) {{ {selection} }} }}"
        data = await office.ask(query, input={"case": case})
        assert set(data["caseClose"].values()) == {"PROPOSED"}
