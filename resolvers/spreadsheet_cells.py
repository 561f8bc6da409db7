"""Keeps spreadsheet programs from executing texts of a CSV file as formulas (CWE-1236)."""

import re

# A cell that begins with one of these is a formula, in some languages also with their wide forms.
FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
SIGNED_NUMBER = re.compile(r"[+-][0-9]+([.][0-9]+)?", re.ASCII)


def starts_formula(text: str) -> bool:
    """Whether a spreadsheet program would take a text for a formula. A number such as -5 is none."""
    return text.lstrip(" ").startswith(FORMULA_STARTS) and not SIGNED_NUMBER.fullmatch(text)


def inert(text: str) -> str:
    """The text, with an apostrophe in front if it would be a formula: then spreadsheet programs show it as it is."""
    return f"'{text}" if starts_formula(text) else text
