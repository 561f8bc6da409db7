"""Unified social credit codes (统一社会信用代码, GB 32100-2015): the natural key of an enterprise.

Seventeen characters and a check character, all from an alphabet of 31 without I, O, S, V and Z. Every position has a
weight, and the weighted sum of a valid code, the check character included with weight 1, is a multiple of 31.

Since 31 is a prime, a code with one changed character is invalid, and so is one with two characters swapped. The only
exception is a swap of the first character and the check character, which both have weight 1.
"""

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LENGTH = 18
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_WEIGHTS = tuple(pow(3, place, 31) for place in range(LENGTH - 1))


def check_character(first17: str) -> str:
    """The check character for the first seventeen. Raises ValueError unless they are 17 characters of the alphabet."""
    if len(first17) != LENGTH - 1 or any(character not in _VALUES for character in first17):
        raise ValueError(f"not {LENGTH - 1} characters of {ALPHABET}: {first17!r}")
    total = sum(_VALUES[character] * weight for character, weight in zip(first17, _WEIGHTS, strict=True))
    return ALPHABET[-total % 31]


def complete(first17: str) -> str:
    """The whole code of 18 characters; raises ValueError as `check_character` does."""
    return first17 + check_character(first17)


def is_valid(code: str) -> bool:
    """Whether a code is well formed, without lower case or full-width digits, and has the right check character."""
    if len(code) != LENGTH or any(character not in _VALUES for character in code):
        return False
    return code[-1] == check_character(code[:-1])
