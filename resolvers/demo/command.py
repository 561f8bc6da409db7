"""The command: one office, six groups, four zone headquarters (一办六组四战区)."""

import models
from models import CommandKind
from resolvers.demo import people
from resolvers.demo.draws import generator, whole
from resolvers.demo.geography import ZONES
from resolvers.demo.scene import Scene

OFFICE = ("应急保障办公室", "统筹全区赛事应急保障，值班值守，汇总信息，向指挥长报告，督办各组各战区")
GROUPS = [
    ("综合协调组", "会议、文电、信息报送和各方联络，编制每日保障要情"),
    ("隐患整治组", "排查企业隐患，督促整改、验收和销号，牵头重大隐患挂牌督办"),
    ("执法检查组", "组织检查和复查，立案处罚，抽调检查人员支援战区"),
    ("应急救援组", "调度专家、队伍和物资，处置突发事件，组织演练"),
    ("监测预警组", "盯防雨情、水情、火险和重大危险源数据，发布和解除预警"),
    ("宣传保障组", "安全宣传、舆情应对、通信和后勤保障"),
]


def raise_command(scene: Scene) -> None:
    units: list[tuple[CommandKind, str, str, int | None]] = [(CommandKind.OFFICE, *OFFICE, None)]
    units += [(CommandKind.GROUP, name, duties, None) for name, duties in GROUPS]
    units += [
        (CommandKind.ZONE_HQ, f"{name}指挥部", f"负责{name}的面、区、圈、点管控，落实保障方案，就近调度力量", zone_id)
        for zone_id, (name, _, _) in enumerate(ZONES.values(), start=1)
    ]
    for kind, name, duties, zone_id in units:
        rng = generator("command", name)
        scene.rows.add(
            models.CommandUnit,
            district_id=1,
            kind=kind,
            name=name,
            duties=duties,
            lead_name=people.name(rng),
            lead_phone=people.phone(rng),
            zone_id=zone_id,
            members=[{"name": people.name(rng), "phone": people.phone(rng)} for _ in range(whole(rng, 4, 8))],
        )
