"""The few lines that make HTML: elements whose text is escaped unless it is markup already (markupsafe)."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

VOID = ("img", "br", "meta")


def element(name: str, /, *content: str | None, **attributes: str | int | bool | None) -> Markup:
    """`<name attribute="...">content</name>`.

    Args:
      name: of the element.
      *content: plain text, which is escaped, or `Markup`; None is left out.
      **attributes: a trailing underscore is dropped (`class_`), others become dashes (`aria_label`); None and False
        are left out, True stands without a value.
    """
    words = [name]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(key)
        elif value is not None and value is not False:
            words.append(f'{key}="{escape(str(value))}"')
    opening = f"<{' '.join(words)}>"
    return Markup(opening if name in VOID else f"{opening}{join(content)}</{name}>")


def join(content: Iterable[str | None], between: str = "") -> Markup:
    """Escapes what is plain text, and puts the pieces together."""
    return escape(between).join(piece for piece in content if piece is not None)


def table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str, class_: str | None = None) -> Markup:
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


def details(summary: str, *content: str | None) -> Markup:
    """A part that is folded on a screen, and open on paper."""
    return element("details", element("summary", summary), *content)


def words(name: str) -> str:
    """A name from a file as words: `Blond_Hair` -> `Blond Hair`."""
    return " ".join(name.replace("_", " ").split())
