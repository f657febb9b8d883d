"""The page around a report's parts: head, contents, style. It needs no script, no network and no other file."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping

from markupsafe import Markup

from rgunit_tf.evaluation.report.html import element, join

STYLE = importlib.resources.files(__package__) / "style.css"


def page(title: str, lead: str, opening: Markup, sections: Mapping[str, Markup | None], marker: str, foot: str) -> str:
    """A whole document.

    Args:
      title: of the page.
      lead: a sentence or two below it.
      opening: what comes before the first section.
      sections: heading -> content; those that are empty or None are left out.
      marker: by which a program recognises the page's state, see `report.is_current`.
      foot: last line.
    """
    filled = {heading: content for heading, content in sections.items() if content}
    ids = {heading: heading.lower().replace(" ", "-") for heading in filled}
    contents = [element("li", element("a", heading, href=f"#{place}")) for heading, place in ids.items()]
    body = element(
        "div",
        element("header", element("h1", title), element("p", lead, class_="lead"), opening),
        element("nav", element("ul", *contents), aria_label="Contents"),
        element(
            "main",
            *(
                element("section", element("h2", heading, id=ids[heading]), content, aria_labelledby=ids[heading])
                for heading, content in filled.items()
            ),
        ),
        element("footer", element("p", foot)),
        class_="page",
    )
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="rgunit-tf-report", content=marker),
        # Nothing is fetched, whatever a name in the data may hold.
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; img-src data:; style-src 'unsafe-inline'",
        ),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(STYLE.read_text(encoding="utf-8"))),
    ]
    return f'<!DOCTYPE html>\n<html lang="en">\n{element("head", join(head))}\n{element("body", body)}\n</html>\n'
