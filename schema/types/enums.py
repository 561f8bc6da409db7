"""The enums of models, as clients see them: a description on each, and on each of its values."""

import enum

import strawberry

import models
from resolvers.queries.nearby import NearbyKind
from resolvers.queries.search import SearchKind


def described(of: type[enum.Enum], description: str, **values: str) -> None:
    """Make an enum part of the schema. Every member needs a description."""
    strawberry.enum(of, description=description)
    definition = of.__strawberry_definition__  # type: ignore[attr-defined]  # added by the line above
    missing = {m.name for m in of} ^ set(values)
    if missing:
        raise TypeError(f"{of.__name__}: describe {missing}")
    for value in definition.values:
        value.description = values[value.name]


@strawberry.enum(description="The direction of an order.")
class Direction(enum.Enum):
    ASCENDING = strawberry.enum_value("ascending", description="Smallest, earliest or lowest first.")
    DESCENDING = strawberry.enum_value("descending", description="Greatest, latest or highest first.")


described(
    models.Role,
    "Who asks.",
    COMMANDER="The duty officer of the command centre (指挥长): sees and does everything.",
    INSPECTOR="An officer in the field (检查员).",
    ENTERPRISE="A guarded enterprise (企业): its own file only.",
    WALL="A screen in the command centre (大屏): everything but personal data.",
    INTEGRATOR="A program (系统对接): what its scopes allow.",
)
described(
    models.CommandKind,
    "A level of the command (一办六组四战区).",
    OFFICE="The office (办公室).",
    GROUP="One of the six groups (工作组).",
    ZONE_HQ="The headquarters of a zone (战区指挥部).",
)
described(
    models.ZoneFocus,
    "What a zone is guarded against above all.",
    WATERLOGGING="Waterlogging by short heavy rain (内涝).",
    HAZARDOUS_CHEMICALS="Hazardous chemicals (危险化学品).",
    CROWDED_PLACES="Crowded places (人员密集场所).",
    FOREST_AND_FLOOD="Forest fire and flood (森林防火和防汛).",
)
described(
    models.VenueKind,
    "What a venue is.",
    COMPETITION="A venue of competitions (竞赛场馆).",
    VILLAGE="Where athletes, officials or the press live (亚运村).",
    TRANSPORT="A transport hub (交通枢纽).",
    OTHER="Anything else that is guarded.",
)
described(
    models.ControlGrade,
    "How strictly a ring around a venue is controlled (圈层管控).",
    ALERT="The outer ring: watched (警戒圈).",
    CONTROL="The middle ring: controlled (管控圈).",
    STRICT="The inner ring: strictly controlled; every enterprise has a safety file (严控圈).",
)
described(
    models.RiskGrade,
    "The grade of an enterprise's risk (风险等级).",
    BLUE="Low risk (低风险).",
    YELLOW="General risk (一般风险).",
    ORANGE="Considerable risk (较大风险).",
    RED="Grave risk (重大风险).",
)
described(
    models.MeasureKind,
    "The kind of a control measure (管控措施).",
    ELIMINATION="The danger is removed.",
    ENGINEERING="A technical measure (工程技术措施).",
    ADMINISTRATIVE="A rule or a duty (管理措施).",
    TRAINING="People are trained (培训教育).",
    PPE="Personal protective equipment (个体防护).",
    EMERGENCY="A measure for the emergency (应急处置).",
)
described(
    models.HazardLevel,
    "How grave a hazard is (隐患级别).",
    GENERAL="A general hazard (一般隐患).",
    MAJOR="A major hazard (重大隐患): rectified only with the five fixes.",
)
described(
    models.HazardStatus,
    "Where a hazard stands on its way to being closed (隐患闭环).",
    FOUND="Found by an inspection (已发现).",
    UNDER_REVIEW="Reported by the enterprise itself, to be looked at (待核实).",
    ASSIGNED="Has an owner and a deadline (已交办).",
    RECTIFYING="Being rectified (整改中).",
    PENDING_ACCEPTANCE="Rectification submitted, to be accepted (待验收).",
    ACCEPTED="Rectification accepted (已验收).",
    CLOSED="Struck from the list (已销号).",
    DISMISSED="Was no hazard (不予认定).",
)
described(
    models.ExtensionStatus,
    "What became of a request to move a deadline.",
    REQUESTED="Not decided yet.",
    APPROVED="The new deadline is in force.",
    REFUSED="The old deadline stands.",
)
described(
    models.InspectionKind,
    "Why an inspection is made.",
    ROUTINE="Part of the daily round (日常检查).",
    SPECIAL="Part of a campaign (专项检查).",
    ASSISTANCE="An enterprise asked for help (协助).",
    REINSPECTION="Looks again at what an earlier one found (复查).",
    COMPLAINT="Somebody complained (举报核查).",
)
described(
    models.InspectionStatus,
    "Where an inspection stands.",
    PLANNED="Planned (已计划).",
    DISPATCHED="Inspectors were sent (已派出).",
    ACKNOWLEDGED="They know of it (已确认).",
    EN_ROUTE="They are on their way (途中).",
    ON_SITE="They are there (到场).",
    SUBMITTED="They entered the result (已提交).",
    IN_REVIEW="The command centre looks at the result (审核中).",
    CLOSED="Done, with every hazard dealt with (已办结).",
    CANCELLED="Called off before arrival (已取消).",
)
described(
    models.InspectionResult,
    "What an inspection found.",
    PASS="Nothing to object to (合格).",
    HAZARDS_FOUND="Hazards (发现隐患).",
    REFUSED="The inspectors were not let in (拒绝检查).",
    NOT_OPERATING="The enterprise was not at work (停产停业).",
    NOT_APPLICABLE="There was nothing to inspect (不适用).",
)
described(
    models.CaseStatus,
    "Where a case stands (立案处罚).",
    PROPOSED="Proposed after an inspection (拟立案).",
    FILED="Filed (立案).",
    NOT_FILED="Not filed (不予立案).",
    INVESTIGATING="Being investigated (调查取证).",
    NOTIFIED="The enterprise was notified (告知).",
    HEARING="In a hearing (听证).",
    DECIDED="A penalty was decided (处罚决定).",
    NO_PENALTY="No penalty (不予处罚).",
    TRANSFERRED="Handed to another authority (移送).",
    WITHDRAWN="Withdrawn (撤案).",
    EXECUTING="The penalty is being executed (执行).",
    CLOSED="Closed (结案).",
)
described(
    models.PenaltyKind,
    "A kind of penalty.",
    WARNING="A warning (警告).",
    FINE="A fine (罚款).",
    CONFISCATION="Confiscation (没收).",
    SUSPENSION="Suspension of business (责令停产停业).",
    REVOCATION="Revocation of a licence (吊销许可证).",
)
described(
    models.TeamKind,
    "What a team is for.",
    FIRE="Fire (消防).",
    HAZMAT="Hazardous materials (危化品处置).",
    MEDICAL="Medical (医疗救护).",
    WATER_RESCUE="Water rescue (水上救援).",
    ENGINEERING="Engineering (工程抢险).",
    POWER="Power supply (电力保障).",
    SECURITY="Security (安保).",
    VOLUNTEER="Volunteers (志愿者).",
)
described(
    models.DispatchStatus,
    "Where a dispatch stands.",
    REQUESTED="Asked for (已请求).",
    ASSIGNED="Something was chosen; stock is reserved (已指派).",
    ACKNOWLEDGED="Whoever is sent knows of it (已确认).",
    EN_ROUTE="On the way (途中).",
    ON_SCENE="At the place (到场).",
    COMPLETED="The work is done; what was used is drawn (已完成).",
    RELEASED="Free again (已释放).",
    DECLINED="Whoever was chosen cannot come (已谢绝).",
    CANCELLED="Called off (已取消).",
)
described(
    models.AssistanceStatus,
    "Where a request for help stands.",
    OPEN="Nobody was sent yet (待处理).",
    DISPATCHED="Inspectors were sent (已派出).",
    RESOLVED="The problem is solved (已解决).",
    WITHDRAWN="The enterprise took it back (已撤回).",
)
described(
    models.WarningKind,
    "What a warning is of.",
    RAINSTORM="Rainstorm (暴雨).",
    TYPHOON="Typhoon (台风).",
    HEAT="Heat (高温).",
    FIRE="Fire (火险).",
    HAZMAT="Hazardous materials (危化品).",
    OTHER="Anything else.",
)
described(
    models.WarningLevel,
    "How grave a warning is; for a rainstorm by the national thresholds.",
    BLUE="Level IV; rain: 50 mm in 12 hours (蓝色).",
    YELLOW="Level III; rain: 50 mm in 6 hours (黄色).",
    ORANGE="Level II; rain: 50 mm in 3 hours (橙色).",
    RED="Level I; rain: 100 mm in 3 hours (红色).",
)
described(
    NearbyKind,
    "What can be looked for around a point.",
    ENTERPRISE="Enterprises.",
    CAMERA="Cameras.",
    EXPERT="Experts.",
    TEAM="Teams.",
    WAREHOUSE="Warehouses.",
    INSPECTOR="Inspectors, by their latest position.",
)
described(
    SearchKind,
    "What a search looks through.",
    ENTERPRISE="Enterprises, by name, address and credit code.",
    VENUE="Venues, by their names.",
    EXPERT="Experts, by specialty; by name for a viewer who may see personal data.",
    TEAM="Teams, by name.",
    WAREHOUSE="Warehouses, by name.",
)
described(
    models.EventKind,
    "What happened.",
    INSPECTION_PLANNED="An inspection was planned.",
    INSPECTION_DISPATCHED="Inspectors were sent.",
    INSPECTION_ACKNOWLEDGED="The inspectors know of it.",
    INSPECTION_DEPARTED="They set out.",
    INSPECTION_ARRIVED="They arrived.",
    INSPECTION_SUBMITTED="They entered the result.",
    INSPECTION_REVIEWED="The command centre began to look at it.",
    INSPECTION_RETURNED="The command centre sent it back.",
    INSPECTION_CLOSED="It was closed.",
    INSPECTION_CANCELLED="It was called off.",
    HAZARD_FOUND="An inspection found a hazard.",
    HAZARD_REPORTED="A hazard was reported outside an inspection.",
    HAZARD_AMENDED="An inspection said anew what it had found.",
    HAZARD_ASSIGNED="It was given an owner and a deadline.",
    HAZARD_RECTIFYING_STARTED="Its rectification began.",
    HAZARD_RECTIFICATION_SUBMITTED="Its rectification was submitted.",
    HAZARD_ACCEPTED="Its rectification was accepted.",
    HAZARD_REJECTED="Its rectification was sent back.",
    HAZARD_CLOSED="It was closed.",
    HAZARD_REOPENED="An accepted one was opened again.",
    HAZARD_DISMISSED="It was no hazard.",
    HAZARD_EXTENSION_REQUESTED="A later deadline was asked for.",
    HAZARD_EXTENSION_DECIDED="A later deadline was approved or refused.",
    CASE_PROPOSED="A case was proposed.",
    CASE_FILED="It was filed.",
    CASE_DECLINED="It was not filed.",
    CASE_INVESTIGATED="Its investigation began.",
    CASE_NOTIFIED="The enterprise was notified.",
    CASE_HEARD="A hearing began.",
    CASE_DECIDED="It was decided, with a penalty or without.",
    CASE_EXECUTED="The penalty's execution began.",
    CASE_CLOSED="It was closed.",
    DISPATCH_REQUESTED="Something was asked for.",
    DISPATCH_ASSIGNED="Something was chosen.",
    DISPATCH_ACKNOWLEDGED="Whoever is sent knows of it.",
    DISPATCH_DEPARTED="They set out.",
    DISPATCH_ARRIVED="They arrived.",
    DISPATCH_COMPLETED="The work was done.",
    DISPATCH_RELEASED="They are free again.",
    DISPATCH_DECLINED="Whoever was chosen cannot come.",
    DISPATCH_CANCELLED="It was called off.",
    DUTY_REPORT_SUBMITTED="An enterprise on duty reported.",
    ASSISTANCE_REQUESTED="An enterprise asked for help.",
    ASSISTANCE_DISPATCHED="Inspectors were sent to help.",
    ASSISTANCE_REOPENED="The visit that was to help was called off.",
    ASSISTANCE_RESOLVED="The problem was solved.",
    ASSISTANCE_WITHDRAWN="The enterprise took it back.",
    ENTERPRISE_REGISTERED="An enterprise was registered.",
    ENTERPRISE_CHANGED="Its file's own data changed.",
    ENTERPRISE_GRADED="Its risk was graded.",
    CONTROL_MEASURE_ADDED="A control measure was added.",
    CONTROL_MEASURE_LIFTED="A control measure was lifted.",
    INSPECTOR_DUTY_SET="An inspector went on or off duty.",
    TEAM_STANDBY_SET="A team went on or off standby.",
    EXPERT_STANDBY_SET="An expert went on or off standby.",
    STOCK_RECEIVED="Stock came in.",
    STOCK_RESERVED="Stock was promised to a dispatch.",
    STOCK_FREED="Promised stock was freed.",
    STOCK_DRAWN="Stock was used.",
    WARNING_ISSUED="A warning was issued.",
    WARNING_RAISED="Readings raised a warning, or made it graver.",
    WARNING_LIFTED="A warning was lifted.",
    REGISTER_IMPORTED="A batch of rows was imported.",
)
