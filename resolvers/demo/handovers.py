"""Handovers of the duty at 08:00 and 20:00 of the last ten days, among four officers."""

import models
from models import EventKind, Role
from resolvers.demo import people
from resolvers.demo.clock import later
from resolvers.demo.draws import generator, pick
from resolvers.demo.scene import Scene

DAYS, OFFICERS = 10, 4
HOURS = (8, 20)
NOTES = (
    "一切正常，设备完好。",
    "世纪城低洼点已布泵 2 台，雨停后撤回。",
    "瓜沥一家企业罐区保压，每小时报一次池位，下一次整点。",
    "主城区夜间施工噪声投诉 2 起，均已回复。",
    "重大隐患复查已约明早 09:00，请提前通知检查员。",
)


def hand_over(scene: Scene) -> None:
    officers = [people.name(generator("duty officer", number)) for number in range(OFFICERS)]
    for number in range(len(HOURS) * DAYS):
        day, shift = divmod(number, len(HOURS))
        rng = generator("handover", number)
        taken = scene.clock.day(DAYS - day, HOURS[shift])
        signed = later(taken, -rng.random() / 6)
        leaving, arriving = number % OFFICERS, (number + 1) % OFFICERS
        row = scene.rows.add(
            models.Handover,
            leaving=f"duty officer {leaving}",
            leaving_name=officers[leaving],
            arriving=f"duty officer {arriving}",
            arriving_name=officers[arriving],
            note=pick(rng, NOTES),
            signed_at=signed,
            taken_at=taken,
            version=2,
        )
        scene.log.happened(signed, EventKind.HANDOVER_SIGNED, row, Role.COMMANDER)
        scene.log.happened(taken, EventKind.HANDOVER_TAKEN, row, Role.COMMANDER)
