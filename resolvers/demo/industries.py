"""Industries of enterprises by zone, and their names."""

import enum
from dataclasses import dataclass
from random import Random

from models import RiskGrade
from resolvers.demo.draws import pick, urn


class Trade(enum.Enum):
    """Dangers of an enterprise."""

    CHEMICAL = "chemical"
    FACTORY = "factory"
    PUBLIC = "public"
    BUILDING = "building"


@dataclass(frozen=True)
class Industry:
    """`noun` is part of its enterprises' names; `bulk` ones may have a major hazard installation."""

    name: str
    noun: str
    trade: Trade
    bulk: bool = False


CHEMICAL = {
    "GUALI": urn(
        (Industry("危险化学品生产", "精细化工", Trade.CHEMICAL, bulk=True), 5),
        (Industry("危险化学品仓储", "化工仓储", Trade.CHEMICAL, bulk=True), 3),
        (Industry("印染助剂制造", "印染助剂", Trade.CHEMICAL, bulk=True), 4),
        (Industry("涂料制造", "涂料", Trade.CHEMICAL, bulk=True), 3),
        (Industry("工业气体充装", "气体", Trade.CHEMICAL, bulk=True), 2),
        (Industry("危险化学品经营", "化工贸易", Trade.CHEMICAL), 3),
        (Industry("加油站", "石油", Trade.CHEMICAL), 1),
    ),
    "ELSEWHERE": urn(
        (Industry("加油站", "石油", Trade.CHEMICAL), 4),
        (Industry("危险化学品经营", "化工贸易", Trade.CHEMICAL), 3),
        (Industry("工业气体充装", "气体", Trade.CHEMICAL, bulk=True), 1),
        (Industry("涂料制造", "涂料", Trade.CHEMICAL, bulk=True), 1),
    ),
}
CHEMICAL_SHARE = {"CENTURY_CITY": 0.1, "GUALI": 0.36, "MAIN_URBAN": 0.09, "LINPU": 0.12}
OTHERS = {
    "CENTURY_CITY": urn(
        (Industry("酒店住宿", "酒店管理", Trade.PUBLIC), 4),
        (Industry("商业综合体", "商业管理", Trade.PUBLIC), 3),
        (Industry("建筑施工", "建设工程", Trade.BUILDING), 4),
        (Industry("餐饮", "餐饮管理", Trade.PUBLIC), 3),
        (Industry("楼宇物业", "物业服务", Trade.PUBLIC), 3),
    ),
    "GUALI": urn(
        (Industry("纺织印染", "印染", Trade.FACTORY), 5),
        (Industry("化学纤维制造", "化纤", Trade.FACTORY), 4),
        (Industry("机械制造", "机械", Trade.FACTORY), 2),
        (Industry("航空物流", "物流", Trade.FACTORY), 2),
        (Industry("卫浴制品", "卫浴", Trade.FACTORY), 2),
    ),
    "MAIN_URBAN": urn(
        (Industry("商场超市", "百货", Trade.PUBLIC), 3),
        (Industry("酒店住宿", "酒店管理", Trade.PUBLIC), 2),
        (Industry("机械制造", "机械", Trade.FACTORY), 4),
        (Industry("汽车零部件制造", "汽车配件", Trade.FACTORY), 3),
        (Industry("仓储物流", "仓储", Trade.FACTORY), 2),
        (Industry("食品加工", "食品", Trade.FACTORY), 2),
        (Industry("建筑施工", "建设工程", Trade.BUILDING), 2),
        (Industry("电子设备制造", "电子科技", Trade.FACTORY), 2),
    ),
    "LINPU": urn(
        (Industry("五金加工", "五金", Trade.FACTORY), 4),
        (Industry("木制家具制造", "木业", Trade.FACTORY), 3),
        (Industry("钢结构", "钢结构", Trade.BUILDING), 2),
        (Industry("造纸和纸制品", "纸业", Trade.FACTORY), 2),
        (Industry("塑料制品", "塑料", Trade.FACTORY), 2),
        (Industry("民宿旅游", "旅游开发", Trade.PUBLIC), 1),
    ),
}
# Pairs of characters from poems that hardly any company is named after, without a place name before them.
POETIC_FIRST = "岫霁澹蘅筠皋沚汀岚翊昀珩琰璟瑾湉漪潆溆渚霭霄霖霈曦晟暄旻昶炜烨焱煜"
POETIC_SECOND = "棠荇芷蕙蒹葭菀苒茗荻蓼薇藜萱桐梓楠樾槿榆椿樨梧柘鹭鸢鹤鸿雁隼凫鹂"
FORMS = urn(("有限公司", 8), ("股份有限公司", 1), ("有限责任公司", 1))
GRADES = {
    Trade.CHEMICAL: urn(
        (RiskGrade.RED, 3), (RiskGrade.ORANGE, 7), (RiskGrade.YELLOW, 7), (RiskGrade.BLUE, 1), (None, 2)
    ),
    Trade.FACTORY: urn(
        (RiskGrade.RED, 1), (RiskGrade.ORANGE, 5), (RiskGrade.YELLOW, 22), (RiskGrade.BLUE, 17), (None, 5)
    ),
    Trade.PUBLIC: urn(
        (RiskGrade.RED, 1), (RiskGrade.ORANGE, 4), (RiskGrade.YELLOW, 17), (RiskGrade.BLUE, 23), (None, 5)
    ),
    Trade.BUILDING: urn(
        (RiskGrade.RED, 2), (RiskGrade.ORANGE, 10), (RiskGrade.YELLOW, 22), (RiskGrade.BLUE, 11), (None, 5)
    ),
}


def draw(rng: Random, zone_code: str) -> Industry:
    if rng.random() < CHEMICAL_SHARE[zone_code]:
        return pick(rng, CHEMICAL.get(zone_code, CHEMICAL["ELSEWHERE"]))
    return pick(rng, OTHERS[zone_code])


def name(rng: Random, industry: Industry) -> str:
    return pick(rng, POETIC_FIRST) + pick(rng, POETIC_SECOND) + industry.noun + pick(rng, FORMS)
