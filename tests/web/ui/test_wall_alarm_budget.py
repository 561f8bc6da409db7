"""An ordinary day has less than one alarm in ten minutes on the wall: simulated days against the page's own rules."""

import datetime as dt
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NOW, Databases
from tests.support.page_messages import UI
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.simulated_desk import Clock, desk_of
from web.simulation import Day, Desk
from web.simulation.day import MINUTES

SEEDS = range(5) if PROVING else range(1)
BUDGET = 10  # minutes for one alarm, by EEMUA 191
MINUTE = dt.timedelta(minutes=1)
OPERATIONS = (UI / "src" / "wall" / "wall.graphql").read_text("utf-8")
STANDING = re.search(r"^query Standing .*?^}", OPERATIONS, re.MULTILINE | re.DOTALL)


async def play_day(desk: Desk, clock: Clock, seed: int) -> list[dict[str, Any]]:
    """Plays a working day and gives what the wall reads in each of its minutes."""
    assert STANDING
    day, moments = Day(desk, seed, clock), list[dict[str, Any]]()

    async def wait() -> bool:
        while clock.now < NOW + day.minute * MINUTE:
            moments.append({"at": clock.now.isoformat(), "standing": await desk.ask(STANDING[0], {})})
            clock.now += MINUTE
        return day.minute < MINUTES

    await day.play(wait)
    return moments


@pytest.fixture(scope="module")
def count_alarms(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Counts the alarms of a file of moments, by the rules of the page."""
    node = shutil.which("node")
    assert node, "The wall's rules need Node."
    bundle = tmp_path_factory.mktemp("alarms") / "alarm_day.mjs"
    source = Path(__file__).with_name("alarm_day.ts")
    bundler = str(UI / "node_modules/rolldown/bin/cli.mjs")
    build = (node, bundler, str(source), "--file", str(bundle), "--platform", "node")
    subprocess.run(build, capture_output=True, check=True, timeout=PATIENCE)

    def count(moments: Path) -> dict[str, int]:
        done = subprocess.run(
            (node, str(bundle), str(moments)), capture_output=True, text=True, check=True, timeout=PATIENCE
        )
        counted: dict[str, int] = json.loads(done.stdout)
        return counted

    return count


@pytest.mark.database_independent
@pytest.mark.parametrize("seed", SEEDS)
async def test_an_ordinary_day_stays_within_the_budget_of_alarms(
    databases: Databases, demo_url: str, tmp_path: Path, count_alarms: Any, seed: int, record_proof: RecordProof
) -> None:
    clock = Clock()
    async with desk_of(await databases.new(demo_url), clock) as desk:
        moments = await play_day(desk, clock, seed)
    path = tmp_path / "moments.jsonl"
    path.write_text("".join(json.dumps(moment) + "\n" for moment in moments), "utf-8")
    day = count_alarms(path)
    assert day["minutes"] >= MINUTES - 2
    assert 0 < day["causes"] < day["minutes"] / BUDGET
    assert day["raised"] < day["minutes"] / BUDGET
    row = {
        "seed of the day": seed,
        "minutes": day["minutes"],
        "causes": day["causes"],
        "alarms, with causes that came back": day["raised"],
        "minutes for one alarm": f"{day['minutes'] / day['raised']:.0f}",
        "causes in the busiest ten minutes": day["busiest"],
    }
    record_proof("wall_alarms", "Alarms of the wall in an ordinary day", row)
