"""The drawn parts of the PyPI package `python-avatars`, as SVG fragments with their colour left open.

The package's files paint a colour through full-canvas masks and drop shadows, which dominate the time to rasterise
an avatar. Here each file is read once and rewritten: the masked colour becomes the fill of the shape itself, the
remaining masks become clip paths. The result looks the same and rasterises several times faster.
"""

from __future__ import annotations

import functools
import pathlib
import re
from xml.etree import ElementTree

COLOUR = "@colour@"  # stands for the part's own colour in a fragment

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_COLOURED = ("Hair-Color", "Fabric-Color", "Facial-Hair-Color")
_SLOTS = ("Facial-Hair", "Accessory")  # where the package would nest other parts; this package layers them itself
_SHAPES = ("path", "rect", "circle", "ellipse")
_GEOMETRY = ("d", "x", "y", "width", "height", "rx", "ry", "r", "cx", "cy", "transform")
_STYLE = ("fill", "fill-opacity", "fill-rule", "opacity", "transform")  # no part has a stroke


def _folder() -> pathlib.Path:
    import python_avatars  # here, so that reading a set that is drawn already does not need the package

    return pathlib.Path(python_avatars.__file__).parent / "avatar_parts"


def _attributes(element: ElementTree.Element, names: tuple[str, ...]) -> str:
    return "".join(f' {name}="{element.get(name).strip()}"' for name in names if element.get(name) is not None)


class _Fragment:
    """Rewrites one file of the package."""

    def __init__(self, path: pathlib.Path):
        self.root = ElementTree.parse(path).getroot()
        self.prefix = path.stem.replace("_", "-")
        self.by_id = {element.get("id"): element for element in self.root.iter() if element.get("id")}
        self.targets = {}  # mask id -> the shape that it shows
        for element in self.root.iter(f"{_SVG}mask"):
            use = element.find(f"{_SVG}use")
            self.targets[element.get("id")] = self.by_id[use.get(_HREF)[1:]]
        # The shape under a coloured mask is drawn once, in the colour, where the mask stood.
        self.recoloured = [self._target(element) for element in self.root.iter() if element.get("id") in _COLOURED]
        self.clips: list[str] = []

    def _target(self, element: ElementTree.Element) -> ElementTree.Element | None:
        match = re.match(r"url\(#(.+)\)", element.get("mask", ""))
        return self.targets[match.group(1)] if match else None

    def text(self) -> str:
        body = "".join(self._emit(child, coloured=False) for child in self.root)
        defs = f"<defs>{''.join(self.clips)}</defs>" if self.clips else ""
        return defs + body

    def _shape(self, element: ElementTree.Element, extra: str = "") -> str:
        tag = element.tag.removeprefix(_SVG)
        return f"<{tag}{_attributes(element, _GEOMETRY)}{extra}/>"

    def _emit(self, element: ElementTree.Element, coloured: bool) -> str:
        tag = element.tag.removeprefix(_SVG)
        target = self._target(element)
        if tag in ("defs", "mask", "title", "desc") or element.get("id") in _SLOTS:
            return ""
        if element.get("id") in _COLOURED:
            if target is not None:
                return self._shape(target, f' fill="{COLOUR}"')
            coloured = True
        if tag == "use":
            shape = self.by_id[element.get(_HREF)[1:]]
            if shape in self.recoloured or element.get("filter"):
                return ""
            return self._shape(shape, _attributes(element, _STYLE))
        if coloured and tag in _SHAPES:
            return self._shape(element, f' fill="{COLOUR}"')
        content = "".join(self._emit(child, coloured) for child in element)
        if tag in _SHAPES:
            content = self._shape(element, _attributes(element, _STYLE[:-1]))
        elif tag == "g":
            content = f"<g{_attributes(element, _STYLE)}>{content}</g>" if content else ""
        if target is not None and content:
            name = f"{self.prefix}-clip-{len(self.clips)}"
            self.clips.append(f'<clipPath id="{name}">{self._shape(target)}</clipPath>')
            content = f'<g clip-path="url(#{name})">{content}</g>'
        return content


@functools.cache
def fragment(folder: str, name: str) -> str:
    """SVG fragment of a part, e.g. `fragment("top/hair", "bob")`; its colour is written as `COLOUR`."""
    return _Fragment(_folder() / folder / f"{name}.svg").text()


@functools.cache
def outline(folder: str, name: str) -> str:
    """The first shape of a part without any colour, to be stroked or filled: `<path d=.../>` with `COLOUR` as style."""
    root = ElementTree.parse(_folder() / folder / f"{name}.svg").getroot()
    shape = next(element for element in root.iter() if element.tag.removeprefix(_SVG) in _SHAPES)
    return f"<{shape.tag.removeprefix(_SVG)}{_attributes(shape, _GEOMETRY)} {COLOUR}/>"
