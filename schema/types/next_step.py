"""The steps that can be done next with a row."""

from typing import Any

import strawberry

from resolvers.queries.next_steps import next_steps
from schema.fields.batch import batch


@strawberry.type(description="A mutation that the row's status and your role allow now.")
class NextStep:
    mutation: str = strawberry.field(description="Name of the mutation.")
    to: list[str] = strawberry.field(description="Statuses that it can lead to; none where the status stays.")


def steps_field(cycle: str, status: Any) -> Any:
    """The field `nextSteps` of a noun with this life cycle and this column of the status."""
    return batch(
        next_steps(cycle),
        status,
        description="What you can do next, in the order of the life cycle. The mutation itself may need more, such as"
        " an inspection of your own, or a request for an extension to decide.",
    )
