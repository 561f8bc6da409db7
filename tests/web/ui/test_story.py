"""The bureau's reference story through phones, desk and wall at once."""

from pathlib import Path

from playwright.async_api import Browser

from tests.support import story
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.server_process import serving

SECONDS = 1.0  # from an act on one page until the others show it; checked in `make prove` only


async def test_a_call_for_help_is_answered_and_closed_through_the_pages_alone(
    chromium: Browser, scratch: Path, record_proof: RecordProof
) -> None:
    url = f"sqlite:///{scratch / 'story.db'}"
    with serving(scratch / "story.log", url, **story.SECRET) as process:
        async with story.cast(chromium, process, url) as cast:
            await story.begin(cast)
            await story.call_for_help(cast)
            seconds = {"the phones know of the dispatch": await story.dispatch(cast)}
            await story.visit(cast)
            await story.inspect(cast)
            seconds |= await story.follow(cast)
            await story.assign(cast)
            await story.rectify(cast)
            await story.close(cast)
    for until, taken in seconds.items():
        if PROVING:
            assert taken < SECONDS, until
        record_proof("pages", "How long until other pages show an act", {"until": until, "seconds": f"{taken:.2f}"})
