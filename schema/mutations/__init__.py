"""The root type of mutations, from the mutations of all nouns."""

from typing import Any

import strawberry

from schema.mutations import assistance, case, dispatch, enterprise, handover, hazard, inspection, resource, warning

MODULES = (inspection, hazard, case, assistance, dispatch, enterprise, resource, warning, handover)


def root() -> Any:
    """The type Mutation."""
    fields = [field for module in MODULES for field in module.MUTATIONS]
    body = {field.graphql_name: field for field in fields}
    body_type = type(
        "Mutation", (), {"__annotations__": {n: f.type_annotation.raw_annotation for n, f in body.items()}, **body}
    )
    return strawberry.type(body_type, description="Root of mutations.")
