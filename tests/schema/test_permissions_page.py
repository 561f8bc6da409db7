"""Who sees what, through every path that leads to a value.

The expected rights are written here, from the domain, and not taken from the declarations. Operations that select
everything are generated from the schema, and personal data is marked, so that it is recognised wherever it appears.
Streams and mutations are in tests/schema/live/test_permissions.py.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlmodel import SQLModel

from schema.build import Graph
from schema.fields.source import NODES
from schema.permissions_page import page
from tests.conftest import Databases
from tests.support.exhaustive_queries import is_row, scalar_values
from tests.support.owner_subset import INTERNAL_TABLES
from tests.support.personal_data import IMPERSONAL, KINDS, PERSONAL, own_marks
from tests.support.viewer_reads import MarkedDemo, marked_demo
from web.settings import ROOT

pytestmark = pytest.mark.usefixtures("unlimited_documents")

EVERYTHING = ("commander", "inspector", "read and personal")
EVERYTHING_BUT_PERSONAL = ("wall", "read")
NOTHING = ("no scope", "personal without read", "register")

# Fields that are personal data, or lead to it. Everybody sees changes of fields, except those of personal data.
CONTACTS = {
    "Enterprise.legalRepresentative",
    "Enterprise.safetyContact",
    "Hazard.owner",
    "ControlMeasure.responsible",
    "Team.leader",
    "Warehouse.keeper",
    "CommandUnit.lead",
    "CommandUnit.members",
}
EVIDENCE = {"Hazard.evidence", "Inspection.evidence"}
PERSONAL_FIELDS = {
    *CONTACTS,
    *EVIDENCE,
    *("Contact.name", "Contact.phone", "Actor.name", "Camera.streamUrl"),
    *("Inspector.fullName", "Inspector.phone", "Expert.fullName", "Expert.phone"),
    *(f"Evidence.{name}" for name in ("id", "mediaType", "bytes", "sha256", "takenAt", "url")),
}
# Fields that only commanders see.
COMMAND_FIELDS = {
    *(f"Handover.{name}" for name in ("id", "leavingName", "arrivingName", "note", "signedAt", "takenAt", "version")),
    "HandoverUpdate.handover",
}
COMMAND_OPERATIONS = {"briefing", "handovers", "Handover"}
# Fields that are empty for an enterprise, whatever its file has.
NOT_FOR_ENTERPRISES = {
    "District.command",
    "Zone.command",
    "CommandUnit.id",
    "District.portrait",
    "District.rateHistory",
    "Zone.portrait",
    "Zone.rateHistory",
    *(
        f"{kind}.{name}"
        for kind in ("District", "Zone", "Venue", "ControlRing")
        for name in ("monthlyTrend", "usualBands")
    ),
    "Venue.portrait",
    "ControlRing.portrait",
    "Inspector.position",
    "Inspector.positionAt",
    "Inspector.positionStale",
}
# The table of each list of Query.
LISTS = {
    "venues": "venue",
    "enterprises": "enterprise",
    "hazards": "hazard",
    "inspections": "inspection",
    "cases": "case_filing",
    "dispatches": "dispatch",
    "assistanceRequests": "assistance_request",
    "warnings": "warning",
    "experts": "expert",
    "teams": "team",
    "warehouses": "warehouse",
    "inspectors": "inspector",
    "events": "event",
    "handovers": "handover",
}


@pytest_asyncio.fixture(scope="module")
async def scene(databases: Databases, demo_url: str, graph: Graph) -> AsyncIterator[MarkedDemo]:
    made = await marked_demo(await databases.new(demo_url), graph)
    yield made
    await made.database.close()


def test_the_committed_page_is_current(graph: Graph) -> None:
    assert (ROOT / "docs" / "reference" / "rights.md").read_text() == page(graph), "stale: run `make docs`"


def test_the_page_agrees_with_the_domain_rules(graph: Graph) -> None:
    """The tests below check the graph against the same rules."""
    hidden: dict[str, set[str]] = {"enterprise": set(), "wall": set()}
    for section in page(graph).split("\n### ")[1:]:
        name, _, table = section.partition("\n")
        for line in table.split("\n## ")[0].splitlines()[3:]:
            if line.startswith("| "):
                field, commander, inspector, enterprise, wall, read, personal = line.strip("| ").split(" | ")
                # Values inside events are named in full.
                full = field if name.startswith("Values") else f"{name}.{field}"
                if full in COMMAND_FIELDS:
                    assert (commander, inspector, enterprise, wall, read, personal) == ("all", *["–"] * 5)
                    continue
                assert (commander, inspector, personal, read) == ("all", "all", "all", wall)
                hidden["enterprise"] |= {full} if enterprise == "–" else set()
                hidden["wall"] |= {full} if wall == "–" else set()
    inside = {"Contact.name", "Contact.phone"}
    assert hidden["wall"] - {"FieldChange of names and telephone numbers"} == PERSONAL_FIELDS - inside
    command = {f"CommandUnit.{name}" for name in ("kind", "name", "duties", "lead", "zone", "members")}
    assert hidden["enterprise"] == NOT_FOR_ENTERPRISES | command


def test_every_column_that_may_be_personal_is_listed() -> None:
    for each in SQLModel.metadata.sorted_tables:
        if each.name in INTERNAL_TABLES:
            continue
        for column in each.c:
            looks = column.name.endswith(("name", "phone", "_url", "uploader"))
            if looks and isinstance(column.type, sa.String):
                assert column.name in PERSONAL.get(each.name, ()) or column.name in IMPERSONAL, column


def shared_answers(answers: dict[str, Any]) -> dict[str, Any]:
    """The answers without what tells of the viewer, or is for commanders only."""

    def shared(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: shared(inner) for name, inner in value.items() if not name.endswith(("_handover", "_nextSteps"))
            }
        return [shared(inner) for inner in value] if isinstance(value, list) else value

    return {name: shared(answer) for name, answer in answers.items() if name not in {"viewer", *COMMAND_OPERATIONS}}


async def test_viewers_with_all_rights_see_the_same_and_everything(scene: MarkedDemo) -> None:
    first = await scene.read_all("commander")
    assert first.kinds == KINDS
    for who in EVERYTHING[1:]:
        seen = await scene.read_all(who)
        assert shared_answers(seen.answers) == shared_answers(first.answers)
        assert seen.fields & COMMAND_FIELDS == set()


async def test_a_wall_and_a_reading_program_see_everything_but_personal_data(scene: MarkedDemo) -> None:
    by_operation = (await scene.read_all("commander")).fields_by_operation
    all_of_it = set().union(*(fields for name, fields in by_operation.items() if name not in COMMAND_OPERATIONS))
    for who in EVERYTHING_BUT_PERSONAL:
        seen = await scene.read_all(who)
        assert seen.marks == set()
        hidden = {name for name in all_of_it - seen.fields if not name.startswith(("Viewer.", "NextStep."))}
        # A viewer who may do nothing sees an empty list of steps.
        hidden = {name for name in hidden if not name.endswith(".nextSteps")}
        assert hidden == (PERSONAL_FIELDS | COMMAND_FIELDS) & all_of_it
    wall, read = [(await scene.read_all(who)).answers for who in EVERYTHING_BUT_PERSONAL]
    assert shared_answers(wall) == shared_answers(read)


async def test_an_enterprise_sees_personal_data_of_its_own_file_only(scene: MarkedDemo) -> None:
    seen = await scene.read_all("enterprise")
    own = own_marks(scene.own_keys)
    assert seen.marks - own == set()
    assert seen.kinds == {mark[:2] for mark in own}
    everything = await scene.read_all("commander")
    assert NOT_FOR_ENTERPRISES - everything.fields == set()
    assert NOT_FOR_ENTERPRISES & seen.fields == set()


@pytest.mark.parametrize("who", NOTHING)
async def test_a_program_without_the_right_to_read_sees_nothing(scene: MarkedDemo, who: str) -> None:
    seen = await scene.read_all(who)
    for name, data in seen.answers.items():
        # The status of files repeats their hashes, which are the viewer's own.
        if name not in ("viewer", "cursor", "evidenceStatus"):
            # A map is an object for everyone, and may be empty.
            assert {value for field, value in scalar_values(data) if field != "__typename"} <= {0}, name
    assert seen.fields & {"Viewer.inspector", "Viewer.enterprise"} == set()


async def test_hidden_values_exist(scene: MarkedDemo) -> None:
    seen = (await scene.read_all("commander")).fields
    assert PERSONAL_FIELDS - seen == {"Evidence.url"}  # null as long as the store is empty
    assert {of for of in scene.graph._schema.type_map.values() if is_row(of) and of.name not in scene.ids} == set()


def expected_rows(scene: MarkedDemo, who: str, name: str) -> set[str]:
    """The ids of the rows of a type that a viewer may see."""
    if who in NOTHING or name == "Handover" or (name == "Evidence" and who in EVERYTHING_BUT_PERSONAL):
        return set()
    return set(scene.own_ids.get(name, ()) if who == "enterprise" else scene.all_ids[name])


@pytest.mark.parametrize("who", ["inspector", "enterprise", "wall", "read", "no scope", "register"])
async def test_a_row_is_found_by_its_id_only_if_the_viewer_may_see_it(scene: MarkedDemo, who: str) -> None:
    for name, keys in scene.all_ids.items():
        ids: set[str] = set()
        for start in range(0, len(keys), 1_000):
            given = {"ids": keys[start : start + 1_000]}
            data = await scene.ask(who, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", **given)
            ids |= {node["id"] for node in data["nodes"] if node is not None}
        assert ids == expected_rows(scene, who, name), name


@pytest.mark.parametrize("who", ["inspector", "enterprise", "wall", "read", "no scope", "register"])
async def test_lists_and_counts_have_only_rows_that_the_viewer_may_see(scene: MarkedDemo, who: str) -> None:
    for name, of in LISTS.items():
        data = await scene.ask(
            who, f"{{ {name}(first: 1000) {{ totalCount nodes {{ id }} edges {{ node {{ id }} }} }} }}"
        )
        list_ = data[name]
        hidden = who in NOTHING or of == "handover"
        number = 0 if hidden else len(scene.own_keys[of]) if who == "enterprise" else await scene.row_count(of)
        assert list_["totalCount"] == number
        assert list_["nodes"] == [edge["node"] for edge in list_["edges"]]
        assert len(list_["nodes"]) == min(number, 1_000)


SEARCHED = {("expert", "full_name"), ("inspector", "full_name")}  # for a viewer who may see them


@pytest.mark.parametrize("who", ["commander", "enterprise", "wall", "read", "read and personal", "no scope"])
async def test_search_and_filters_ignore_hidden_values(scene: MarkedDemo, who: str) -> None:
    sees = who in ("commander", "read and personal")
    for name, of in (("expert", "Expert"), ("inspector", "Inspector")):
        mark = f"~{name}.full_name.1~"
        answer = await scene.ask(who, f'{{ search(text: "{mark}") {{ matched item {{ __typename }} }} }}')
        own = who == "enterprise" and 1 in scene.own_keys[name]
        assert answer["search"] == ([{"matched": mark, "item": {"__typename": of}}] * (sees or own))
    for name in ("inspector", "expert"):
        own_keys = scene.own_keys[name] if who == "enterprise" else frozenset()
        mark = f"~{name}.full_name."
        # Names of people are never searched for teams and warehouses.
        query = f'{{ {name}s(filter: {{text: "{mark}"}}) {{ totalCount }} }}'
        assert (await scene.ask(who, query))[f"{name}s"]["totalCount"] == (
            await scene.row_count(name) if sees else len(own_keys)
        )
    for column in sorted(f"~{name}.{column}." for name, column in KINDS - SEARCHED):
        assert (await scene.ask(who, f'{{ search(text: "{column}") {{ matched }} }}'))["search"] == []


async def test_no_filter_or_order_uses_personal_data(scene: MarkedDemo) -> None:
    personal = {(name, column) for name, column in KINDS}
    for of in NODES.values():
        for filter_field in getattr(of, "filters", {}).values():
            predicate = filter_field.predicate.visible_to(scene.viewers["wall"].visibility)
            sql = str(predicate.for_value(True).sql("w0", True)) if predicate is not None else ""
            assert not [f"{n}.{c}" for n, c in personal if f"{n}.{c}" in sql]
        for order in getattr(of, "orders", {}).values():
            assert not [f"{n}.{c}" for n, c in personal if f"{n}.{c}" in str(order.sql(False))]
