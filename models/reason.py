"""Why something is refused: a stable code with parameters for programs, and a sentence for people in two languages.

The English sentence stands in the code, where the reason arises. The Chinese one is in messages/zh.po, which
`make messages` keeps in step with the code.
"""

import enum
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

CATALOGUE = Path(__file__).parent / "messages" / "zh.po"


class Language(enum.Enum):
    """A language of messages; the value is its code in BCP 47."""

    ENGLISH = "en"
    CHINESE = "zh"


class Reason(str):
    """A reason. As a text it is the English sentence.

    `code` never changes its meaning. `template` is the English sentence with the names of the parameters in braces. A
    parameter is a text, a number, a list of texts, or another reason.
    """

    code: str
    template: str
    parameters: Mapping[str, Any]

    def __new__(cls, code: str, template: str, /, **parameters: Any) -> "Reason":
        reason = super().__new__(cls, filled(template, parameters))
        reason.code, reason.template, reason.parameters = code, template, parameters
        return reason

    def text(self, language: Language) -> str:
        """The sentence in a language; in English where the catalogue lacks it."""
        if language is Language.ENGLISH:
            return str(self)
        template = chinese().get(self.template, self.code)
        if not template or not template.string:
            return str(self)
        values = {n: v.text(language) if isinstance(v, Reason) else v for n, v in self.parameters.items()}
        return filled(str(template.string), values)


class Message(Reason):
    """A sentence for people that refuses nothing, such as a line of a summary."""


def filled(template: str, parameters: Mapping[str, Any]) -> str:
    """The sentence of a template."""
    values = {name: ", ".join(value) if isinstance(value, list) else value for name, value in parameters.items()}
    return template.format_map(values)


def text_in(language: Language, message: str) -> str:
    """A message in a language. One that is no Reason is graphql-core's own, and stays English."""
    return message.text(language) if isinstance(message, Reason) else message


@lru_cache(maxsize=1)
def chinese() -> "Catalog":
    """The Chinese sentences by the English one and, as its context, the reason's code."""
    # Imported late: it takes longer than all else that most commands of the command line do.
    from babel.messages.pofile import read_po

    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh")
