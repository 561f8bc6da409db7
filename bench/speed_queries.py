"""The queries in the dialect of each server, and how their answers are brought into one form.

A dialect is a schema: `huhang`'s own, the `plain` one that the peers in Strawberry and Mercurius share, and the one
that `postgraphile` derives from the tables.
"""

import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from schema.types.node_id import encode

PAGE = 20
Variables = list[dict[str, Any]]


@dataclass(frozen=True)
class Query:
    """A query. `texts` are by dialect; a dialect that is missing has no natural way to express it.

    `variables` takes a dialect and returns the variables of one or more requests. A `paged` query takes `first` and
    `after`, and is measured with a page of PAGE rows far behind the first.
    """

    title: str
    texts: dict[str, str]
    variables: Callable[[str], Variables] = lambda dialect: [{}]
    paged: bool = False


def ids(dialect: str) -> Variables:
    """A hundred enterprises, so that concurrent requests differ."""
    keys = range(1, 2000, 20)
    return [{"id": encode("Enterprise", key) if dialect == "huhang" else key} for key in keys]


# The stadium, two other venues, and the airport.
POINTS = [(30.23161, 120.224459), (30.156252, 120.261992), (30.18661, 120.45359), (30.2295, 120.4345)]


def points(dialect: str) -> Variables:
    coordinates = [{"latitude": latitude, "longitude": longitude} for latitude, longitude in POINTS]
    return [{"point": point} for point in coordinates] if dialect == "huhang" else coordinates


HAZARDS_BY = "orderBy: [FOUND_AT_DESC, ROW_ID_DESC]"
INSPECTIONS_BY = "orderBy: [PLANNED_DESC, ROW_ID_DESC]"

QUERIES = {
    "headline": Query(
        "the safety files of a zone: its first 50 enterprises, each with its legal representative, 10 hazards with the"
        " inspection that found each, 5 inspections with their inspectors, and its control measures",
        {
            "huhang": """{ zone(by: { code: "GUALI" }) { id code name nameEn focus enterprises(first: 50) { nodes {
                id name address riskGrade hazardousChemicals majorHazardLevel legalRepresentative { name phone }
                hazards(first: 10) { nodes {
                  id level status description foundAt deadline inspection { id kind submittedAt } } }
                inspections(first: 5) { nodes { id kind status result submittedAt inspectors { id badge fullName } } }
                controlMeasures(first: 20) { nodes { id kind description since } }
              } } } }""",
            "plain": """{ zone(code: "GUALI") { id code name nameEn focus enterprises(first: 50) {
                id name address riskGrade hazardousChemicals majorHazardLevel legalRepresentative { name phone }
                hazards(first: 10) { id level status description foundAt deadline inspection { id kind submittedAt } }
                inspections(first: 5) { id kind status result submittedAt inspectors { id badge fullName } }
                controlMeasures(first: 20) { id kind description since }
              } } }""",
            "postgraphile": f"""{{ zone: zoneByCode(code: "GUALI") {{ id: rowId code name nameEn focus
              enterprises: enterprisesByZoneId(first: 50) {{ nodes {{
                id: rowId name address riskGrade hazardousChemicals majorHazardLevel legalName legalPhone
                hazards: hazardsByEnterpriseId(first: 10, {HAZARDS_BY}) {{ nodes {{
                  id: rowId level status description foundAt deadline
                  inspection: inspectionByInspectionId {{ id: rowId kind submittedAt }} }} }}
                inspections: inspectionsByEnterpriseId(first: 5, {INSPECTIONS_BY}) {{ nodes {{
                  id: rowId kind status result submittedAt
                  inspectors: inspectionInspectorsByInspectionId(orderBy: INSPECTOR_ID_ASC) {{ nodes {{
                    only: inspectorByInspectorId {{ id: rowId badge fullName }} }} }} }} }}
                controlMeasures: controlMeasuresByEnterpriseId(first: 20) {{ nodes {{
                  id: rowId kind description since }} }}
              }} }} }} }}""",
        },
    ),
    "small": Query(
        "one enterprise's name and risk grade by its id, a hundred ids in turns",
        {
            "huhang": "query ($id: ID!) { enterprise(by: { id: $id }) { name riskGrade } }",
            "plain": "query ($id: ID!) { enterprise(id: $id) { name riskGrade } }",
            "postgraphile": "query ($id: Int!) { enterprise: enterpriseByRowId(rowId: $id) { name riskGrade } }",
        },
        ids,
    ),
    "deep": Query(
        "six levels: a venue, its rings, 10 enterprises in each, 5 hazards of each, the inspection that found each, its"
        " inspectors",
        {
            "huhang": """{ venue(by: { code: "HOSC-STADIUM" }) { id code name rings { id grade radiusMetres
                enterprises(first: 10) { nodes { id name hazards(first: 5) { nodes { id level foundAt
                  inspection { id kind submittedAt inspectors { id badge fullName } } } } } } } } }""",
            "plain": """{ venue(code: "HOSC-STADIUM") { id code name rings { id grade radiusMetres
                enterprises(first: 10) { id name hazards(first: 5) { id level foundAt
                  inspection { id kind submittedAt inspectors { id badge fullName } } } } } } }""",
            "postgraphile": f"""{{ venue: venueByCode(code: "HOSC-STADIUM") {{ id: rowId code name
              rings: controlRingsByVenueId(orderBy: GRADE_ASC) {{ nodes {{ id: rowId grade radiusMetres
                enterprises: enterpriseRingsByRingId(first: 10, orderBy: ENTERPRISE_ID_ASC) {{ nodes {{
                  only: enterpriseByEnterpriseId {{ id: rowId name
                    hazards: hazardsByEnterpriseId(first: 5, {HAZARDS_BY}) {{ nodes {{ id: rowId level foundAt
                      inspection: inspectionByInspectionId {{ id: rowId kind submittedAt
                        inspectors: inspectionInspectorsByInspectionId(orderBy: INSPECTOR_ID_ASC) {{ nodes {{
                          only: inspectorByInspectorId {{ id: rowId badge fullName }} }} }} }} }} }} }} }} }} }} }}
              }} }}""",
        },
    ),
    "wide": Query(
        "1,000 enterprises with six fields each",
        {
            "huhang": """{ enterprises(first: 1000) { nodes {
                id creditCode name address riskGrade hazardousChemicals } } }""",
            "plain": "{ enterprises(first: 1000) { id creditCode name address riskGrade hazardousChemicals } }",
            "postgraphile": """{ enterprises: allEnterprises(first: 1000) { nodes {
                id: rowId creditCode name address riskGrade hazardousChemicals } } }""",
        },
    ),
    "page": Query(
        f"a page of {PAGE} general hazards, newest first, each with its enterprise, far behind the first page",
        {
            "huhang": """query ($first: Int!, $after: String) {
              hazards(first: $first, after: $after, filter: { levels: [GENERAL] }) {
                nodes { id status level description foundAt deadline enterprise { id name } }
                pageInfo { hasNextPage endCursor } } }""",
            "plain": """query ($first: Int!, $after: String) {
              hazards(first: $first, after: $after, level: GENERAL) {
                nodes { id status level description foundAt deadline enterprise { id name } }
                pageInfo { hasNextPage endCursor } } }""",
            "postgraphile": f"""query ($first: Int!, $after: Cursor) {{
              hazards: allHazards(first: $first, after: $after, condition: {{ level: 1 }}, {HAZARDS_BY}) {{
                nodes {{ id: rowId status level description foundAt deadline
                  enterprise: enterpriseByEnterpriseId {{ id: rowId name }} }}
                pageInfo {{ hasNextPage endCursor }} }} }}""",
        },
        paged=True,
    ),
    "nearby": Query(
        "the first 20 cameras and the first 20 enterprises within 3 km of a point, nearest first, four points in turns",
        {
            "huhang": """query ($point: PointInput!) {
              nearby(point: $point, kinds: [CAMERA, ENTERPRISE], withinMetres: 3000, first: 20) {
                distanceMetres bearingDegrees item { __typename
                  ... on Camera { id name online } ... on Enterprise { id name address riskGrade } } } }""",
            "plain": """query ($latitude: Float!, $longitude: Float!) {
              nearby(latitude: $latitude, longitude: $longitude, kinds: [CAMERA, ENTERPRISE], withinMetres: 3000,
                first: 20) {
                distanceMetres bearingDegrees item { __typename
                  ... on Camera { id name online } ... on Enterprise { id name address riskGrade } } } }""",
        },
        points,
    ),
    "portrait": Query(
        "the indicators of a zone over the last 30 days, as commanders watch them",
        {
            "huhang": """{ zone(by: { code: "GUALI" }) { portrait { enterprises byRisk { riskGrade count } hazardsOpen
                hazardsOverdue majorHazardsOpen rectificationRate onTimeRate closureRate coverage filingRate penaltyRate
                hazardsPerThousandInspections } } }""",
        },
    ),
}

TIMES = frozenset({"foundAt", "deadline", "submittedAt"})
# In the order of the stored values 1, 2, …
RANKS = {
    "level": ("GENERAL", "MAJOR"),
    "riskGrade": ("BLUE", "YELLOW", "ORANGE", "RED"),
    "grade": ("ALERT", "CONTROL", "STRICT"),
}


def normalized(value: Any) -> Any:
    """An answer without what differs between servers: wrappers of lists, ids, notation of times and grades, cursors."""
    if isinstance(value, list):
        return [normalized(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"nodes"}:
        return normalized(value["nodes"])
    if value.keys() == {"only"}:  # PostGraphile makes an object of a row that links two tables
        return normalized(value["only"])
    fields = {name: _field(name, inner) for name, inner in value.items() if name != "endCursor"}
    if "legalName" in fields:
        contact = {"name": fields.pop("legalName"), "phone": fields.pop("legalPhone")}
        fields["legalRepresentative"] = contact if any(contact.values()) else None
    return fields


def _field(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "id":
        return int(value if str(value).isdigit() else base64.urlsafe_b64decode(value + "==").split(b":")[1])
    if name in TIMES:
        return dt.datetime.fromisoformat(value).astimezone(dt.UTC).isoformat()
    if name in RANKS and isinstance(value, int):
        return RANKS[name][value - 1]
    return normalized(value)


def canonical(data: Any) -> bytes:
    """The normalized answer as bytes, which must be equal for all servers."""
    return orjson.dumps(normalized(data), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
