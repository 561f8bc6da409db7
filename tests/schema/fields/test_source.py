"""The type checker or the building of the schema reports mistakes in declarations before any operation runs."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import models
from resolvers.actions.hazards import is_overdue
from resolvers.queries import nearby
from schema.fields import nodes
from schema.fields.batch import batch
from schema.fields.columns import column, compute_now, sub_object
from schema.fields.nodes import node, row_type
from schema.fields.references import to_one, to_one_of
from schema.fields.source import Node, check_columns
from schema.types.scalars import Point

ROOT = Path(__file__).parents[3]

# Each line that ends in `# wrong` must be an error, and no other line may be one.
DECLARATIONS = '''
import datetime as dt

import models
from models import PERSONAL_DATA, CaseStatus, HazardStatus, InspectionKind
from resolvers import geography
from resolvers.queries import nearby
from resolvers.actions.hazards import is_overdue
from schema.fields.batch import batch
from schema.fields.columns import column, compute, compute_now
from schema.fields.nodes import node, row_type
from schema.fields.source import Node
from schema.types.warehouse import available


@row_type(models.Enterprise)
class Right:
    """Nothing is wrong here."""

    name: str = column(models.Enterprise.name, "Name.")
    address: str | None = column(models.Enterprise.address, "Address.", sees=PERSONAL_DATA)
    wider: str | None = column(models.Enterprise.name, "Name.")
    overdue: bool = compute_now(is_overdue, models.Hazard.status, models.Hazard.deadline, description="Overdue.")
    left: int = compute(available, models.StockItem.quantity, models.StockItem.reserved, description="Left.")
    outline: dict[str, object] = batch(
        geography.boundaries, models.ControlRing.venue_id, models.ControlRing.radius_metres, description="Outline."
    )


@node(models.Enterprise)
class Wrong(Node):
    """Everything is wrong here."""

    a: int = column(models.Enterprise.name, "Another type.")  # wrong
    b: str = column(models.Enterprise.address, "Null is left out.")  # wrong
    c: CaseStatus = column(models.Inspection.status, "Another enum.")  # wrong
    d: str = column(models.Enterprise.title, "There is no such column.")  # wrong
    e: str = column(models.Enterprise.name)  # wrong
    f: str = column(models.Enterprise.name, "A right is no text.", sees="personal data")  # wrong
    g: str = compute_now(is_overdue, models.Hazard.status, models.Hazard.deadline, description="No bool.")  # wrong
    h: bool = compute_now(is_overdue, models.Hazard.status, description="Too few.")  # wrong
    i: bool = compute_now(is_overdue, models.Hazard.deadline, models.Hazard.status, description="Swapped.")  # wrong
    j: bool = compute(is_overdue, models.Hazard.status, models.Hazard.deadline, description="No clock.")  # wrong
    k: int = compute(available, models.StockItem.quantity, models.StockItem.unit, description="A text.")  # wrong
    l: str = compute(available, models.StockItem.quantity, models.StockItem.reserved, description="A number.")  # wrong
    m: list[object] = batch(nearby.around, models.Venue.latitude, description="Too few needs.")  # wrong
    n: list[object] = batch(nearby.around, models.Venue.name, models.Venue.code, description="Texts.")  # wrong
    o: dict[str, object] = batch(geography.boundaries, models.Venue.id, models.Venue.latitude, description="N")  # wrong
    p: dt.date = column(models.Hazard.status, "A state is no day.")  # wrong
    q: list[HazardStatus] = column(models.Zone.focus, "A list of others.")  # wrong
    r: InspectionKind | None = column(models.Inspection.result, "Another enum, and null.")  # wrong
'''


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[int, str]]:
    """The declarations, and the type checker's error for each line."""
    path = tmp_path_factory.mktemp("declarations") / "declarations.py"
    path.write_text(DECLARATIONS)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--no-error-summary", str(path)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    # From its cache mypy reports errors with the folder of an earlier run.
    reported = re.findall(r"^.*/declarations\.py:(\d+): error: (.*)$", run.stdout, re.MULTILINE)
    return DECLARATIONS, {int(line): text for line, text in reported}


def test_the_type_checker_finds_each_mistake_and_no_other(checked: tuple[str, dict[int, str]]) -> None:
    source, errors = checked
    lines = source.splitlines()
    wrong = {i for i, line in enumerate(lines, start=1) if line.endswith("# wrong")}
    assert len(wrong) == 18
    assert {lines[i - 1]: "no error" for i in wrong - set(errors)} == {}
    assert {lines[i - 1]: errors[i] for i in set(errors) - wrong} == {}


@pytest.fixture
def unregistered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types declared by a test are not registered for other tests."""
    monkeypatch.setattr(nodes, "OF_ROW", {})


@pytest.mark.parametrize(
    "declared",
    [
        column(models.Venue.name, "Of a venue."),
        compute_now(is_overdue, models.Hazard.status, models.Hazard.deadline, description="Of a hazard."),
        to_one(models.Hazard.enterprise_id, "Of a hazard."),
        to_one_of({models.Team: models.Dispatch.team_id}, "Of a dispatch."),
        sub_object("Of a venue.", latitude=models.Enterprise.latitude, longitude=models.Venue.longitude),
        batch(
            nearby.around,
            models.Enterprise.latitude,
            models.Venue.longitude,
            description="Half of a venue.",
            arguments=dict.fromkeys(("kinds", "within_metres", "first", "filter"), "."),
        ),
    ],
    ids=["column", "compute", "to_one", "to_one_of", "sub_object", "batch"],
)
@pytest.mark.usefixtures("unregistered")
def test_a_column_of_another_table_is_refused(declared: Any) -> None:
    class Mixed:
        """A type with a column of another table."""

        name: str = column(models.Enterprise.name, "Name.")

    Mixed.__annotations__["other"] = Point | None
    Mixed.other = declared  # type: ignore[attr-defined]  # so that any declaration fits
    graph_type = row_type(models.Enterprise)(Mixed)
    with pytest.raises(TypeError, match=r"Mixed\.other takes .*, a column of another table"):
        check_columns(graph_type)


@pytest.mark.usefixtures("unregistered")
def test_personal_data_without_the_right_to_it_is_refused() -> None:
    @row_type(models.Enterprise)
    class Open:
        """A type that shows everybody the name of a person."""

        legal_name: str | None = column(models.Enterprise.legal_name, "Name.")

    with pytest.raises(TypeError, match=r"Open\.legal_name shows .*legal_name, which is personal data"):
        check_columns(Open)


@pytest.mark.usefixtures("unregistered")
def test_a_type_of_its_own_columns_passes() -> None:
    @row_type(models.Enterprise)
    class Pure:
        """A type."""

        name: str = column(models.Enterprise.name, "Name.")

    check_columns(Pure)
    assert Pure.row is models.Enterprise  # type: ignore[attr-defined]  # the declaration adds it


async def batch_function(reader: Any, parents: Any, *, kinds: list[int], first: int = 3) -> list[int]:
    return [first for _ in parents]


@pytest.mark.parametrize("arguments", [{}, {"kinds": "."}, {"first": ".", "kinds": "."}, {"kinds": ".", "last": "."}])
def test_every_argument_of_a_batch_is_described(arguments: dict[str, str]) -> None:
    field = batch(batch_function, description="A field.", arguments=arguments)
    with pytest.raises(TypeError, match="batch_function: describe"):
        field.source.arguments(field)


def test_a_node_is_registered_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "OF_ROW", {})
    registered: dict[str, Any] = {}
    monkeypatch.setattr(nodes, "NODES", registered)

    @node(models.Team)
    class Crew(Node):
        """A crew."""

        name: str = column(models.Team.name, "Name.")

    assert registered == {"Crew": Crew}
    assert Crew.default_order.name == "Crew"  # type: ignore[attr-defined]  # the declaration adds it
