"""Warehouses and the emergency supplies in them.

The codes have the form of GB/T 38565-2020 (1+2+2+2 digits; 1 living supplies, 2 equipment, 3 engineering); the codes of
individual supplies are invented.
"""

from typing import Any

import models
from resolvers.demo import people
from resolvers.demo.draws import between, generator, pick, whole
from resolvers.demo.resources import zone_in_turn
from resolvers.demo.scene import Scene

WAREHOUSES = 12
# Code, name, unit, and the largest quantity in a warehouse.
CATALOGUE = [
    ("1010101", "瓶装饮用水", "箱", 800),
    ("1010201", "方便食品", "箱", 500),
    ("1010301", "压缩饼干", "箱", 300),
    ("1020101", "棉被", "床", 600),
    ("1020201", "折叠床", "张", 400),
    ("1020301", "毛巾被", "条", 500),
    ("1030101", "救灾帐篷（12 平方米）", "顶", 120),
    ("1030201", "应急照明灯", "盏", 200),
    ("1040101", "急救包", "个", 300),
    ("1040201", "防暑药品", "盒", 600),
    ("2010101", "正压式空气呼吸器", "套", 60),
    ("2010201", "防毒面具", "个", 300),
    ("2010301", "重型防化服", "套", 40),
    ("2010401", "防护手套", "双", 500),
    ("2020101", "可燃气体检测仪", "台", 40),
    ("2020201", "四合一气体检测仪", "台", 50),
    ("2030101", "抗溶性泡沫液", "桶", 200),
    ("2030201", "干粉灭火器", "具", 400),
    ("2030301", "消防水带", "盘", 300),
    ("2030401", "移动消防泵", "台", 20),
    ("2040101", "堵漏工具", "套", 30),
    ("2040201", "吸附棉", "箱", 200),
    ("2040301", "围油栏", "米", 1_000),
    ("2050101", "橡皮艇", "艘", 20),
    ("2050201", "救生衣", "件", 500),
    ("2050301", "救生抛投器", "套", 40),
    ("2060101", "卫星电话", "部", 10),
    ("2060201", "数字对讲机", "部", 120),
    ("3010101", "编织袋", "条", 20_000),
    ("3010201", "砂石料", "吨", 500),
    ("3010301", "挡水板", "块", 300),
    ("3020101", "移动泵车", "辆", 6),
    ("3020201", "潜水泵", "台", 60),
    ("3030101", "柴油发电机", "台", 20),
    ("3030201", "移动照明车", "辆", 5),
    ("3040101", "液压破拆工具", "套", 20),
    ("3040201", "起重气垫", "套", 15),
    ("3050101", "铁锹", "把", 800),
]


def store(scene: Scene) -> list[dict[str, Any]]:
    """Add warehouses with 10 to 30 items each. Returns the items, of which nothing is reserved yet."""
    items = []
    for number in range(WAREHOUSES):
        rng = generator("warehouse", number)
        zone_id = zone_in_turn(scene.geography, number)
        town = pick(rng, [town for town in scene.geography.towns if town.zone_id == zone_id])
        latitude, longitude = scene.geography.scatter(rng, town)
        warehouse = scene.rows.add(
            models.Warehouse,
            name=f"{town.name}应急物资储备库（{number + 1} 号）",
            keeper_name=people.name(rng),
            keeper_phone=people.phone(rng),
            zone_id=zone_id,
            latitude=latitude,
            longitude=longitude,
        )
        for code, name, unit, most in sorted(rng.sample(CATALOGUE, whole(rng, 10, 30))):
            quantity = int(most * between(rng, 0.2, 1)) if rng.random() > 0.03 else 0
            items.append(
                scene.rows.add(
                    models.StockItem,
                    warehouse_id=warehouse["id"],
                    code=code,
                    name=name,
                    unit=unit,
                    quantity=quantity,
                    reserved=0,
                )
            )
    return items
