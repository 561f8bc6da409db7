"""Writes docs/reference/lifecycles.md from models/lifecycle.py (`make docs`)."""

from models.lifecycle import ACTIONS, LIFECYCLES, PERMITTED, Action, Status, Transition

TITLES = {
    "hazard": "Hazard 隐患",
    "inspection": "Inspection 检查",
    "case": "Case 案件",
    "dispatch": "Dispatch 调度",
    "assistance": "Assistance request 协助",
}
INTRODUCTION = """\
# Life cycles

What may become of each noun, by whose hand, and what that needs. What is not here is refused with `IllegalTransition`,
which names the states that can follow. This page is made from `models/lifecycle.py`: change it there, and then
run `make docs`.

Who: C the commander, who may do whatever anybody may; I an inspector, with their own inspections and the hazards of
those; E an enterprise, with its own rows. A program may call a mutation that names a scope, if it has that."""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for noun, lines in LIFECYCLES.items():
        rows = [_transition(line) for line in lines]
        parts.append(_table(TITLES[noun], ("From", "To", "Mutation", "Who", "Event", "Needs"), rows))
    rows = [_action(line) for line in ACTIONS]
    parts.append(_table("Without a change of status", ("Mutation", "Who", "In the states", "Scope"), rows))
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
