"""The memory of a server while the log grows and subscribers follow it."""

from pathlib import Path

from bench.memory import resident
from models.byte_cache import CACHE_BYTES, CACHE_BYTES_MINIMUM
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.server_process import web

SUBSCRIBERS, EVENTS, STEP, CACHES = (300, 7_000, 1_000, CACHE_BYTES) if PROVING else (12, 900, 300, CACHE_BYTES_MINIMUM)
ALLOWED = 4 << 20  # besides the caches: what the allocator keeps between two bursts


async def test_memory_grows_by_no_more_than_the_caches(scratch: Path, record_proof: RecordProof) -> None:
    url = f"sqlite:///{scratch}/memory.db"
    seeded = web("seed", "demo", "--enterprises", "150", url=url)
    assert seeded.returncode == 0, seeded.stderr
    settings = {"HUHANG_CACHE_BYTES": str(CACHES)}
    before, first, *later = [each async for each in resident(url, SUBSCRIBERS, EVENTS, STEP, **settings)]
    assert max(later) - first < CACHES + ALLOWED
    megabytes = ", ".join(f"{each / 1e6:.0f}" for each in (before, first, *later))
    row = {
        "subscribers": SUBSCRIBERS,
        "events": EVENTS,
        f"MB before, and after each {STEP:,} events": megabytes,
        "bound of the caches, MB": f"{CACHES / 1e6:.0f}",
    }
    record_proof("memory", "Memory while the log grows", row)
