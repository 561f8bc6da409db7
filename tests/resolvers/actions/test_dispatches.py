"""Teams, experts and stock that are sent: exactly one of them, only what is free, and what was used is gone."""

from typing import Any

import models
from tests.support.actors import DUTY, contents, row_of
from tests.support.district import Office


async def stock(office: Office) -> tuple[int, int]:
    row = await row_of(office.database, models.StockItem, office.world.stock_item)
    return row.quantity, row.reserved


async def test_a_dispatch_goes_to_a_place(office: Office) -> None:
    assert await office.invalid(DUTY, "dispatchRequest", purpose="抢险") == "to"
    shown = "dispatch { to { latitude longitude } }"
    venue = {"purpose": "抢险", "venue": office.world.id("venue")}
    both = {**venue, "enterprise": office.enterprise}
    for given, latitude in ((venue, 30.1), (both, 30.101), ({**both, "to": {"latitude": 1, "longitude": 2}}, 1)):
        answer = await office.done(DUTY, "dispatchRequest", shown, **given)
        assert answer["dispatch"]["to"]["latitude"] == latitude


async def test_exactly_one_resource_is_assigned(office: Office) -> None:
    dispatch = await office.dispatch()
    team, expert, item = (office.world.id(name) for name in ("team", "expert", "stock_item"))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "team"),
        ({"team": team, "expert": expert}, "team"),
        ({"team": team, "stockItem": item, "quantity": 1}, "team"),
        ({"stockItem": item}, "quantity"),
        ({"stockItem": item, "quantity": 0}, "quantity"),
        ({"stockItem": item, "quantity": -1}, "quantity"),
        ({"team": team, "quantity": 1}, "quantity"),
    ]
    for given, blamed in wrong:
        assert await office.invalid(DUTY, "dispatchAssign", dispatch=dispatch, **given) == blamed
    assigned = await office.done(DUTY, "dispatchAssign", dispatch=dispatch, team=team)
    assert assigned["dispatch"]["status"] == "ASSIGNED"


async def test_a_team_or_expert_must_be_on_standby_and_not_dispatched_elsewhere(office: Office) -> None:
    for kind in ("team", "expert"):
        some = {kind: office.world.id(kind)}
        standby = f"{kind}SetStandby"
        first, second = await office.dispatch(), await office.dispatch()
        await office.done(DUTY, standby, **some, onStandby=False)
        assert await office.invalid(DUTY, "dispatchAssign", dispatch=first, **some) == kind
        await office.done(DUTY, standby, **some, onStandby=True)
        await office.done(DUTY, "dispatchAssign", dispatch=first, **some)
        assert await office.invalid(DUTY, "dispatchAssign", dispatch=second, **some) == kind
        await office.done(DUTY, "dispatchDecline", dispatch=first)
        assigned = await office.done(DUTY, "dispatchAssign", dispatch=second, **some)
        assert assigned["dispatch"]["status"] == "ASSIGNED"


async def test_a_request_with_a_resource_is_assigned_at_once_or_not_made(office: Office) -> None:
    place = {"purpose": "抢险", "venue": office.world.id("venue")}
    team, item = office.world.id("team"), office.world.id("stock_item")
    before, shown = await stock(office), "dispatch { status version resource { __typename } }"
    sent = await office.done(DUTY, "dispatchRequest", shown, **place, team=team)
    assert sent["dispatch"] == {"status": "ASSIGNED", "version": 2, "resource": {"__typename": "Team"}}
    # The team is away and the stock is not enough: no dispatch is left without a resource.
    made = len((await contents(office.database, models.Dispatch))["dispatch"])
    assert await office.invalid(DUTY, "dispatchRequest", **place, team=team) == "team"
    assert await office.invalid(DUTY, "dispatchRequest", **place, stockItem=item) == "quantity"
    answer = await office.act(DUTY, "dispatchRequest", **place, stockItem=item, quantity=before[0] + 1)
    assert answer["__typename"] == "StockExhausted"
    assert len((await contents(office.database, models.Dispatch))["dispatch"]) == made
    await office.done(DUTY, "dispatchRequest", **place, stockItem=item, quantity=1)
    assert await stock(office) == (before[0], before[1] + 1)


async def test_stock_is_reserved_drawn_and_freed(office: Office) -> None:
    dispatch = await office.dispatch()
    await office.done(DUTY, "dispatchAssign", dispatch=dispatch, stockItem=office.world.id("stock_item"), quantity=70)
    assert await stock(office) == (100, 70)
    other = await office.dispatch()
    answer = await office.act(
        DUTY, "dispatchAssign", dispatch=other, stockItem=office.world.id("stock_item"), quantity=31
    )
    assert (answer["__typename"], answer["available"], answer["item"]["id"]) == (
        "StockExhausted",
        30,
        office.world.id("stock_item"),
    )
    await office.done(DUTY, "dispatchAssign", dispatch=other, stockItem=office.world.id("stock_item"), quantity=30)
    assert await stock(office) == (100, 100)
    await office.done(DUTY, "dispatchCancel", dispatch=other)
    for step in ("Acknowledge", "Depart", "Arrive"):
        await office.done(DUTY, f"dispatch{step}", dispatch=dispatch)
    for drawn in (None, -1, 71):
        assert await office.invalid(DUTY, "dispatchComplete", dispatch=dispatch, drawn=drawn) == "drawn"
    assert await stock(office) == (100, 70)
    await office.done(DUTY, "dispatchComplete", dispatch=dispatch, drawn=50)
    assert await stock(office) == (50, 20)
    await office.done(DUTY, "dispatchRelease", dispatch=dispatch)
    assert await stock(office) == (50, 0)


async def test_a_dispatch_of_a_team_draws_no_stock(office: Office) -> None:
    dispatch = await office.dispatch()
    await office.done(DUTY, "dispatchAssign", dispatch=dispatch, team=office.world.id("team"))
    for step in ("Acknowledge", "Depart", "Arrive"):
        await office.done(DUTY, f"dispatch{step}", dispatch=dispatch)
    assert await office.invalid(DUTY, "dispatchComplete", dispatch=dispatch, drawn=0) == "drawn"
    completed = await office.done(DUTY, "dispatchComplete", dispatch=dispatch)
    assert completed["dispatch"]["status"] == "COMPLETED"
    assert await stock(office) == (100, 0)


async def test_received_stock_is_added_up_to_the_largest_integer(office: Office) -> None:
    item = {"stockItem": office.world.id("stock_item")}
    for quantity in (0, -1, 2**31 - 100):
        assert await office.invalid(DUTY, "stockReceive", **item, quantity=quantity) == "quantity"
    await office.done(DUTY, "stockReceive", **item, quantity=2**31 - 101)
    assert await stock(office) == (2**31 - 1, 0)


async def test_declining_or_cancelling_frees_reserved_stock(office: Office) -> None:
    for way, ends in (("Decline", 0), ("Cancel", 0), ("Cancel", 1), ("Cancel", 2)):
        dispatch = await office.dispatch()
        some: dict[str, Any] = {"stockItem": office.world.id("stock_item"), "quantity": 10}
        await office.done(DUTY, "dispatchAssign", dispatch=dispatch, **some)
        for step in ("Acknowledge", "Depart")[:ends]:
            await office.done(DUTY, f"dispatch{step}", dispatch=dispatch)
        assert await stock(office) == (100, 10)
        await office.done(DUTY, f"dispatch{way}", dispatch=dispatch)
        assert await stock(office) == (100, 0)
