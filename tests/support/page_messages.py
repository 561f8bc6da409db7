"""The messages of the pages, from all their files."""

import json

from tests.support.source_files import ROOT

UI = ROOT / "web" / "ui"
LANGUAGES = ("zh", "en")


def messages(language: str) -> dict[str, str]:
    """The texts in one language by key, in the order of the files. No key stands in two files."""
    settings = json.loads((UI / "project.inlang" / "settings.json").read_text("utf-8"))
    texts_by_key: dict[str, str] = {}
    for pattern in settings["plugin.inlang.messageFormat"]["pathPattern"]:
        texts: dict[str, str] = json.loads((UI / pattern.format(locale=language)).read_text("utf-8"))
        del texts["$schema"]
        if both := texts_by_key.keys() & texts.keys():
            raise ValueError(f"{pattern}: {sorted(both)} are in another file too")
        texts_by_key |= texts
    return texts_by_key
