"""What the documents show: links and anchors, blocks of shell and Python, commands, and what stands in `code`."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import shlex

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_COMMAND = re.compile(r"(?<![\w./-])(?:bin/|rgunit-)(\w+)(?=\s|$)")


@dataclasses.dataclass(frozen=True)
class Document:
    """A Markdown file."""

    path: pathlib.Path

    @functools.cached_property
    def blocks(self) -> list[str]:
        """Its indented blocks of code, without the indentation."""
        return [block for is_code, block in self._parts if is_code]

    @functools.cached_property
    def prose(self) -> str:
        """All else."""
        return "\n\n".join(part for is_code, part in self._parts if not is_code)

    @functools.cached_property
    def _parts(self) -> list[tuple[bool, str]]:
        parts: list[tuple[bool, str]] = []
        for paragraph in self.path.read_text(encoding="utf-8").split("\n\n"):
            is_code = all(line.startswith("    ") for line in paragraph.splitlines())
            text = "\n".join(line[4:] for line in paragraph.splitlines()) if is_code else paragraph
            if is_code and parts and parts[-1][0]:
                text = f"{parts.pop()[1]}\n\n{text}"
            parts.append((is_code, text))
        return parts

    @property
    def links(self) -> list[str]:
        """Targets of links and pictures."""
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What its headings are called in links, as GitHub makes it."""
        headings = re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    @property
    def spans(self) -> list[str]:
        """What stands in `code`, line breaks taken out."""
        return [" ".join(span.split()) for span in _SPAN.findall(self.prose)]

    @property
    def snippets(self) -> list[str]:
        """The blocks of Python."""
        return [block for block in self.blocks if block.startswith(("import ", "from "))]

    @property
    def commands(self) -> list[tuple[str, ...]]:
        """Commands of this package that its blocks show: the name, then the arguments as a shell would give them."""
        shell = [block for block in self.blocks if block not in self.snippets]
        return [command for block in shell for command in commands_in(block)]


def find(root: pathlib.Path) -> list[Document]:
    """The documents of the repository."""
    files = [*root.glob("*.md"), *(file for part in ("rgunit_tf", "configs") for file in (root / part).rglob("*.md"))]
    return [Document(file) for file in sorted(files)]


def commands_in(text: str) -> list[tuple[str, ...]]:
    """Commands in lines of shell, where a line that ends in a backslash goes on in the next."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(match.group(1), *arguments(line[match.end() :])) for line in lines for match in _COMMAND.finditer(line)]


def arguments(rest: str) -> list[str]:
    """What a shell makes of the rest of a line, up to a comment, a pipe or another command."""
    lexer = shlex.shlex(rest, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # the line itself stands in quotes, which end here
        return arguments(rest[: max(rest.rfind(quote) for quote in "'\"")])
    ends = [index for index, word in enumerate(words) if set(word) <= set("|&;<>")]
    return words[: ends[0]] if ends else words
