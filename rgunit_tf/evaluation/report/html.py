"""The few lines that make HTML: elements whose text is escaped unless it is markup already."""

from __future__ import annotations

import html
from collections.abc import Iterable


class Html(str):
    """Text that is markup already and is not escaped again."""


def element(name: str, /, *content: str | None, **attributes: str | int | bool | None) -> Html:
    """`<name attribute="...">content</name>`.

    Args:
      name: of the element.
      *content: plain text, which is escaped, or `Html`; None is left out.
      **attributes: a trailing underscore is dropped (`class_`), others become dashes (`aria_label`); None and False
        are left out, True stands without a value.
    """
    words = [name]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(key)
        elif value is not None and value is not False:
            words.append(f'{key}="{html.escape(str(value))}"')
    opening = f"<{' '.join(words)}>"
    return Html(opening if name in ("img", "br", "meta") else f"{opening}{join(content)}</{name}>")


def join(content: Iterable[str | None], between: str = "") -> Html:
    """Escapes what is plain text, and puts the pieces together."""
    pieces = (piece if isinstance(piece, Html) else html.escape(piece) for piece in content if piece is not None)
    return Html(html.escape(between).join(pieces))


def table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str, class_: str | None = None) -> Html:
    """A table whose first column heads the rows; each cell carries its column's name, for narrow screens."""
    head = list(head)
    header = element("tr", *(element("th", name, scope="col") for name in head))
    body = []
    for row in rows:
        first, *others = row
        cells = [element("td", cell, data_label=name) for name, cell in zip(head[1:], others, strict=True)]
        body.append(element("tr", element("th", first, scope="row"), *cells))
    return element(
        "table",
        element("caption", caption),
        element("thead", header),
        element("tbody", *body),
        class_=class_,
    )


def details(summary: str, *content: str | None) -> Html:
    """A part that is folded on a screen, and open on paper."""
    return element("details", element("summary", summary), *content)


def words(name: str) -> str:
    """A name from a file as words: `Blond_Hair` -> `Blond Hair`."""
    return " ".join(name.replace("_", " ").split())
