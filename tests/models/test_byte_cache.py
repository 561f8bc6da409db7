"""Caches stay within the bytes that Python really uses."""

import gc
import sys
import threading
import tracemalloc
from typing import Any

import pytest
from graphql import parse

from models.byte_cache import (
    CACHE_BYTES,
    CACHE_BYTES_MINIMUM,
    ENTRY_BYTES,
    FIXED_BYTES,
    ByteCache,
    CacheUse,
    LockedByteCache,
    deep_bytes,
    shares,
    use_of,
)


def test_the_least_recently_used_go_first() -> None:
    cache = ByteCache[str, int](3 * (ENTRY_BYTES + 10))
    for number, key in enumerate("abc"):
        cache.put(key, number, 10)
    assert cache.get("a") == 0
    cache.put("d", 3, 10)
    assert [key for key, _ in cache.items()] == ["c", "a", "d"]
    assert cache.get("b") is None
    assert use_of(cache) == CacheUse(3 * (ENTRY_BYTES + 10), 3, 1)


def test_a_value_that_is_replaced_or_removed_counts_no_more() -> None:
    cache = ByteCache[str, int](10_000)
    cache.put("a", 1, 100)
    cache.put("a", 2, 200)
    assert cache.bytes == ENTRY_BYTES + 200
    assert (cache.pop("a"), cache.pop("a")) == (2, None)
    assert use_of(cache) == CacheUse(0, 0, 0)


def test_a_value_that_grows_pushes_others_out() -> None:
    cache = ByteCache[str, list[int]](2_000)
    first, second = [1], [2]
    cache.put("a", first, 100)
    cache.put("b", second, 100)
    cache.grow("b", [2], 5_000)  # another value than the cached one
    assert len(cache) == 2
    cache.grow("b", second, 1_200)
    assert [key for key, _ in cache.items()] == ["b"]
    cache.grow("b", second, -1_000)
    assert use_of(cache) == CacheUse(ENTRY_BYTES + 300, 1, 1)
    cache.grow("b", second, 5_000)
    assert use_of(cache) == CacheUse(0, 0, 1)


def test_a_value_that_is_too_heavy_pushes_nothing_out() -> None:
    cache = ByteCache[str, int](2_000)
    cache.put("a", 1, 100)
    cache.put("b", 2, 100)
    cache.put("c", 3, 2_000)
    cache.put("a", 4, 2_000)  # of which the value before is out of date
    assert [key for key, _ in cache.items()] == ["b"]
    assert use_of(cache) == CacheUse(ENTRY_BYTES + 100, 1, 0)


@pytest.mark.parametrize("size", [100, 3_000, 200_000])
def test_the_memory_of_a_full_cache_is_within_its_bound(size: int) -> None:
    maximum = 1 << 20
    cache = ByteCache[int, bytes](maximum)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(3 * maximum // size):
            value = bytes(size)
            cache.put(number, value, sys.getsizeof(value))
            del value
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert cache.evictions > 0
    assert 0.7 * maximum < used <= maximum


def test_threads_share_a_cache() -> None:
    cache = LockedByteCache[int, int](100 * ENTRY_BYTES)
    failures: list[BaseException] = []

    def use(seed: int) -> None:
        try:
            for number in range(20_000):
                cache.put((seed * number) % 300, number, 0)
                cache.get(number % 300)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in (1, 7, 11, 13)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
    assert cache.bytes == len(cache) * ENTRY_BYTES <= cache.maximum


def test_the_shares_are_no_more_than_the_whole() -> None:
    for total in (CACHE_BYTES_MINIMUM, CACHE_BYTES, 1 << 30):
        parts = vars(shares(total)).values()
        assert all(part > 0 for part in parts)
        assert total - 100 < sum(parts) + FIXED_BYTES <= total


def test_the_bytes_of_a_document_are_those_that_were_allocated() -> None:
    text = "{ zones { " + " ".join(f"x{n}: name" for n in range(300)) + " } }"
    parse(text)
    gc.collect()
    tracemalloc.start()
    try:
        document: Any = parse(text, no_location=True)
        gc.collect()
        allocated = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.9 * allocated < deep_bytes(document) < 1.3 * allocated
