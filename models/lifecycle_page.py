"""Writes docs/reference/lifecycles.md from models/lifecycle.py (`make docs`)."""

from models.lifecycle import ACTIONS, FIELD_MUTATIONS, LIFECYCLES, PERMITTED, Action, Status, Transition

TITLES = {
    "hazard": "Hazard 隐患",
    "inspection": "Inspection 检查",
    "case": "Case 案件",
    "dispatch": "Dispatch 调度",
    "assistance": "Assistance request 协助",
}
INTRODUCTION = """\
# Life cycles

The legal changes of each noun's status, who may make them, and what they need. Any other change is refused with
`IllegalTransition`, which lists the statuses that can follow. This page is generated from `models/lifecycle.py`: edit
that file, then run `make docs`.

Who: C is the commander, who may call every mutation that any role may. I is an inspector, for their own inspections and
the hazards of these. E is an enterprise, for its own rows. A program may call a mutation with a scope if its token has
that scope."""
LAPSE = """\
A request for a later deadline that nobody has decided lapses (`HAZARD_EXTENSION_LAPSED`) when its hazard is accepted,
closed or dismissed."""
LATE = """\
## Acts without a network

These mutations take `occurredAt`, the time when the act was done, for a device that could not send it at once. Rows
have this time, so deadlines and indicators count by it; an event has both, `at` for its arrival and `occurredAt`. An
act cannot have been done before the row got its status. More is in
[the guide](../guides/integrators.md#work-without-a-network).

"""


def page() -> str:
    """The page as Markdown."""
    parts = [INTRODUCTION]
    for noun, lines in LIFECYCLES.items():
        rows = [_transition(line) for line in lines]
        parts.append(_table(TITLES[noun], ("From", "To", "Mutation", "Who", "Event", "Needs"), rows))
    rows = [_action(line) for line in ACTIONS]
    parts.append(_table("Without a change of status", ("Mutation", "Who", "In the statuses", "Scope"), rows))
    parts.append(LAPSE)
    parts.append(LATE + ", ".join(f"`{mutation}`" for mutation in sorted(FIELD_MUTATIONS)) + ".")
    return "\n\n".join(parts) + "\n"


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _transition(line: Transition) -> tuple[str, ...]:
    needs = "; ".join(need.value for need in line.needs)
    return _states(line.sources) or "–", line.to.name, f"`{line.mutation}`", _who(line), f"`{line.kind.name}`", needs


def _action(line: Action) -> tuple[str, ...]:
    scope = PERMITTED[line.mutation][1]
    return f"`{line.mutation}`", _who(line), _states(line.states), f"`{scope.value}`" if scope else ""


def _states(states: tuple[Status, ...]) -> str:
    return ", ".join(state.name for state in states)


def _who(line: Transition | Action) -> str:
    return ", ".join(who.value for who in line.who)


if __name__ == "__main__":
    print(page(), end="")
