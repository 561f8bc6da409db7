"""Reads Markdown: the repository's documents, their headings, links and fenced blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from web.settings import ROOT

# Folders that hold packages, builds and caches rather than documents of this repository.
FOREIGN = {"node_modules", "dist", "var"}
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`]*)$")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block. `words` follow the language on the opening line; `comment` is an HTML comment just above it."""

    document: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str
    comment: str

    @property
    def place(self) -> str:
        document = self.document.relative_to(ROOT) if self.document.is_relative_to(ROOT) else self.document
        return f"{document}:{self.line}"


@dataclass
class Document:
    """One Markdown file: its prose with the fenced blocks cut out, and the blocks."""

    path: Path
    prose: list[tuple[int, str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @property
    def anchors(self) -> set[str]:
        """The fragments that GitHub gives the headings."""
        anchors: set[str] = set()
        for _, line in self.prose:
            if match := HEADING.match(line):
                anchor = slug(match[1])
                copies = sum(a == anchor or re.fullmatch(rf"{re.escape(anchor)}-\d+", a) is not None for a in anchors)
                anchors.add(f"{anchor}-{copies}" if copies else anchor)
        return anchors

    @property
    def links(self) -> Iterator[tuple[int, str]]:
        """The line and target of every link and picture outside code."""
        for number, line in self.prose:
            yield from ((number, target) for target in LINK.findall(CODE.sub("", line)))

    @property
    def code(self) -> Iterator[tuple[int, str]]:
        """The line and text of every code span."""
        for number, line in self.prose:
            yield from ((number, match[1]) for match in CODE.findall(line))


def slug(heading: str) -> str:
    """GitHub's fragment of a heading: links reduced to their texts, lower case, letters, digits, `-` and `_` only."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def documents() -> list[Path]:
    """Every Markdown file of the repository."""
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(ROOT / path for path in paths if not any(p in FOREIGN or p.startswith(".") for p in path.parts))


def read(path: Path) -> Document:
    document = Document(path)
    lines = path.read_text("utf-8").splitlines()
    number, comment = 0, ""
    while number < len(lines):
        line = lines[number]
        if (fence := FENCE.match(line)) is None:
            document.prose.append((number + 1, line))
            if line.strip():
                comment = match[1] if (match := re.fullmatch(r"<!-- *(.+?) *-->", line.strip())) else ""
            number += 1
            continue
        end = number + 1
        while end < len(lines) and lines[end].strip() != fence["ticks"]:
            end += 1
        assert end < len(lines), f"{path}:{number + 1}: the block has no end"
        text = "\n".join(line.removeprefix(fence["indent"]) for line in lines[number + 1 : end]) + "\n"
        language, *words = fence["info"].split() or [""]
        document.blocks.append(Block(path, number + 1, language, tuple(words), text, comment))
        number, comment = end + 1, ""
    return document
