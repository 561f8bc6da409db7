"""Every table is guarded by an event, follows a guarded one, or stands here as one that no event describes."""

import models
from resolvers.actions.change_tracker import ANY_EVENT_MODELS, OWN_EVENT_MODELS


def test_only_these_tables_change_without_an_event_about_them() -> None:
    tracked = {model.__table__.name for model in OWN_EVENT_MODELS + ANY_EVENT_MODELS}
    assert {name for name in models.Event.metadata.tables if name not in tracked} == {
        "access",
        "account",
        "account_event",
        "client_mutation",
        "enterprise_set",
        "event",
        "event_log",
        "evidence",
        "evidence_upload",
        "hazard_evidence",
        "inspection_evidence",
        "login",
        "open_upload",
        "pairing",
        "portrait_sum",
        "rainfall_reading",
        "register_entry",
        "sent_file",
        "sign_in_delay",
        "token",
        "upload_piece",
    }
