"""The heaviest queries that the limit of cost still admits: many at once, and many whose clients go at once."""

import asyncio
from collections.abc import Iterator

from tests.hostile.case import COMMANDER, WALL, Case, Target, faults_of, operation
from tests.hostile.raw_http import connected
from tests.hostile.sizes import BOUNDED, KINDS, POINT, YEAR

GROUP = "abandoned"
AT_ONCE = 20
LEFT_SECONDS = 20.0  # after which work whose client has gone must have left the viewer's share
SIZES = (1_000, 500, 300, 200, 100, 70, 50, 30, 20, 10, 5, 2, 1)
REFUSED = "|429 TOO_MANY|429 BUSY|503 TOO_MANY"

# SIZE is replaced by the largest of SIZES that is admitted.
QUERIES = {
    "nearest": f"{{ enterprises(first: SIZE) {{ nodes {{ nearest(kinds: [{KINDS}], first: 10) {{ distanceMetres }} }} }} }}",
    "portraits": f"{{ enterprises(first: SIZE) {{ nodes {{ portrait(window: {YEAR}) {{ hazardsFound }} }} }} }}",
    "hazards": "{ enterprises(first: SIZE) { nodes { hazards(first: 100) { totalCount nodes { description } } } } }",
    "texts": "{ enterprises(first: 1000) { nodes { hazards(first: SIZE) { nodes { description enterprise { address } } } } } }",
    "totals": "{ enterprises(first: SIZE) { nodes { hazards { totalCount } inspections { totalCount } } } }",
    "events": "{ enterprises(first: SIZE) { nodes { timeline(first: 100) { nodes { kind changes { field } } } } } }",
    "nearby": f"{{ nearby(point: {POINT}, kinds: [{KINDS}], withinMetres: 100000, first: SIZE) {{ item {{ __typename }} }} }}",
    # A bad id makes graphql-core execute all of it.
    "fallback": '{ node(id: "x") { id } enterprises(first: SIZE) { nodes { name hazards(first: 20) { nodes { category } } } } }',
}


async def heaviest(target: Target, query: str) -> bytes:
    """The request with the largest size that is admitted, and not refused for its cost or its days of portraits."""
    for size in SIZES:
        request = operation(query.replace("SIZE", str(size)))
        outcome = await answered(target, request)
        if "TOO_COSTLY" not in outcome and "BAD_INPUT" not in outcome:
            return request
    raise AssertionError(f"no size is admitted: {query}")


async def answered(target: Target, request: bytes) -> str:
    """The outcome of a request of the wall, once its share has room."""
    end = asyncio.get_running_loop().time() + LEFT_SECONDS
    while (outcome := (await target.ask(request, WALL)).outcome) == "503 BUSY":
        if asyncio.get_running_loop().time() > end:
            break
        await asyncio.sleep(0.5)  # as the answer's Retry-After asks
    return outcome


def abandoned_case(name: str, query: str) -> Case:
    """So many clients send it at once, and go before it is answered."""

    async def attack(target: Target) -> list[str]:
        request = target.filled(await heaviest(target, query), WALL)

        async def ask_and_go() -> None:
            async with connected(target.port) as connection:
                connection.send(request)
                await asyncio.sleep(0.05)  # so that the request is at the server; it need not have begun
                target.count("abandoned")

        await asyncio.gather(*(ask_and_go() for _ in range(AT_ONCE)))
        answer = await target.ask(operation("{ district { name } }"), COMMANDER)
        faults = faults_of(answer.outcome, "200 data", "another viewer's query afterwards")
        outcome = await answered(target, operation(query.replace("SIZE", "1")))
        if outcome == "503 BUSY":
            faults.append(f"the viewer's share is still full after {LEFT_SECONDS:.0f} s")
        return faults

    return Case(GROUP, f"{name}, abandoned", attack)


def together_case(name: str, query: str) -> Case:
    """One viewer sends it so many times at once; each is answered or refused."""

    async def attack(target: Target) -> list[str]:
        request = await heaviest(target, query)
        answers = await asyncio.gather(*(target.ask(request, WALL) for _ in range(AT_ONCE)), return_exceptions=True)
        faults = []
        for answer in answers:
            if isinstance(answer, BaseException):
                faults.append(f"no answer: {answer!r}")
            else:
                target.count(answer.outcome)
                faults += faults_of(answer.outcome, BOUNDED + "|200 BAD_ID" + REFUSED)
        return faults

    return Case(GROUP, f"{name}, {AT_ONCE} at once", attack)


def cases() -> Iterator[Case]:
    for name, query in QUERIES.items():
        yield abandoned_case(name, query)
        yield together_case(name, query)
