"""The preview shows rows as they would be stored, with what is wrong with them."""

from pathlib import Path

from resolvers.register import parse_mapping, preview
from tests.support.register_runs import NOW
from tests.support.small_register import TOP, ZONES

MAPPING = """[enterprises]
file = "e.csv"
skip = { id = "合计" }
[enterprises.fields]
external_id = "id"
name = "name"
hazardous_chemicals = "chemicals"
risk_grade = "grade"
town = { column = "town", by = "name" }
point = { latitude = "lat", longitude = "lon" }
"""


def test_rows_are_shown_as_they_would_be_stored(tmp_path: Path) -> None:
    head = "id,name,chemicals,grade,town,lat,lon\n"
    rows = "合计,,,,,,\nA,甲,是,RED,瓜沥,30.1,120.2\nB,,否,PURPLE,,,\nC,丙,,,,,\n"
    (tmp_path / "e.csv").write_text(head + rows, "utf-8")
    first, second = preview(parse_mapping(TOP + MAPPING), tmp_path, 2, NOW)
    assert (first.table, first.file, first.line, first.issues) == ("enterprises", "e.csv", 3, [])
    assert first.values == {
        "external_id": "A",
        "name": "甲",
        "hazardous_chemicals": "true",
        "risk_grade": "RED",
        "town": "瓜沥",
        "point": "30.100000, 120.200000",
    }
    # A bad value is shown among the issues, and no value as such.
    assert (second.values["point"], second.values["town"]) == (None, None)
    assert second.values.keys() == first.values.keys() - {"name", "risk_grade"}
    assert [(issue.column, issue.value) for issue in second.issues] == [("name", ""), ("grade", "PURPLE")]


def test_lists_radii_and_polygons_are_shown_too(tmp_path: Path) -> None:
    square = '"{""type"":""Polygon"",""coordinates"":[[[120,30],[121,30],[121,31],[120,30]]]}"'
    (tmp_path / "zones.csv").write_text(f"code,focus,boundary\nW,WATERLOGGING+CROWDED_PLACES,{square}\n", "utf-8")
    (tmp_path / "towns.csv").write_text("code,zone,lat,lon\n", "utf-8")
    (tmp_path / "venues.csv").write_text("code,lat,lon,strict,alert\nV,30,120,500,\n", "utf-8")
    zone, venue = preview(parse_mapping(TOP + ZONES), tmp_path, 5, NOW)
    assert (zone.values["focus"], zone.values["boundary"]) == ("WATERLOGGING, CROWDED_PLACES", "a Polygon")
    assert (venue.values["strict_metres"], venue.values["alert_metres"]) == ("500", None)
