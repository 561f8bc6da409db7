"""The bureau's rows, their enums, and the visibility of viewers."""

from models.access import Access, AccessKind
from models.account import Account, AccountEvent, AccountEventKind, Login, SignInDelay
from models.assistance import AssistanceRequest, AssistanceStatus, DutyReport
from models.camera import Camera
from models.case import Case, CaseStatus, PenaltyKind
from models.command import CommandKind, CommandUnit
from models.db.tables import Row
from models.dispatch import DISPATCH_OVER, Dispatch, DispatchStatus
from models.district import District
from models.enterprise import ENTERPRISE_MAP_KEY, Enterprise, RiskGrade
from models.enterprise_set import EnterpriseSet
from models.event import ClientMutation, Event, EventKind, EventLog, KeySet, Subject
from models.evidence import (
    Evidence,
    EvidenceUpload,
    HazardEvidence,
    InspectionEvidence,
    OpenUpload,
    SentFile,
    UploadPiece,
)
from models.expert import Expert
from models.handover import Handover
from models.hazard import (
    HAZARD_SETTLED,
    HAZARD_TERMINAL,
    DeadlineExtension,
    ExtensionStatus,
    Hazard,
    HazardLevel,
    HazardStatus,
)
from models.inspection import (
    Inspection,
    InspectionInspector,
    InspectionKind,
    InspectionResult,
    InspectionStatus,
)
from models.inspector import Inspector
from models.measure import ControlMeasure, MeasureKind
from models.portrait_sum import PortraitSum
from models.rainfall import RainfallReading
from models.register_entry import RegisterEntry
from models.ring import ControlGrade, ControlRing, EnterpriseRing
from models.team import Team, TeamKind
from models.token import Pairing, Token, TokenKind
from models.town import Town
from models.venue import Venue, VenueKind
from models.visibility import PERSONAL_DATA, Right, Role, Scope, Viewer, Visibility
from models.warehouse import StockItem, Warehouse
from models.warning import Warning, WarningKind, WarningLevel
from models.zone import Zone, ZoneFocus

__all__ = [
    "DISPATCH_OVER",
    "ENTERPRISE_MAP_KEY",
    "HAZARD_SETTLED",
    "HAZARD_TERMINAL",
    "PERSONAL_DATA",
    "Access",
    "AccessKind",
    "Account",
    "AccountEvent",
    "AccountEventKind",
    "AssistanceRequest",
    "AssistanceStatus",
    "Camera",
    "Case",
    "CaseStatus",
    "ClientMutation",
    "CommandKind",
    "CommandUnit",
    "ControlGrade",
    "ControlMeasure",
    "ControlRing",
    "DeadlineExtension",
    "Dispatch",
    "DispatchStatus",
    "District",
    "DutyReport",
    "Enterprise",
    "EnterpriseRing",
    "EnterpriseSet",
    "Event",
    "EventKind",
    "EventLog",
    "Evidence",
    "EvidenceUpload",
    "Expert",
    "ExtensionStatus",
    "Handover",
    "Hazard",
    "HazardEvidence",
    "HazardLevel",
    "HazardStatus",
    "Inspection",
    "InspectionEvidence",
    "InspectionInspector",
    "InspectionKind",
    "InspectionResult",
    "InspectionStatus",
    "Inspector",
    "KeySet",
    "Login",
    "MeasureKind",
    "OpenUpload",
    "Pairing",
    "PenaltyKind",
    "PortraitSum",
    "RainfallReading",
    "RegisterEntry",
    "Right",
    "RiskGrade",
    "Role",
    "Row",
    "Scope",
    "SentFile",
    "SignInDelay",
    "StockItem",
    "Subject",
    "Team",
    "TeamKind",
    "Token",
    "TokenKind",
    "Town",
    "UploadPiece",
    "Venue",
    "VenueKind",
    "Viewer",
    "Visibility",
    "Warehouse",
    "Warning",
    "WarningKind",
    "WarningLevel",
    "Zone",
    "ZoneFocus",
]
