"""Training curves as SVG that follows the page's colours and can be read on a phone."""

from __future__ import annotations

import csv
import dataclasses
import math
import pathlib
from collections.abc import Sequence

from markupsafe import Markup

from rgunit_tf.evaluation.report.html import details, element, join, words

# (title, columns of history.csv whose names start or end so): what is of one kind and of one size shares a chart.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Weighted sums", ("generator_loss", "discriminator_loss", "triplet_loss")),
    ("Images and codes come back", ("reconstruction", "cycle", "content", "style")),
    ("Real or fake", ("adversarial_g", "adversarial_d")),
    ("Domains", ("domain_g", "domain_d")),
    ("Gradient penalty", ("gradient_penalty",)),
    ("Triplets by negative", ("loss_",)),
    ("Share of satisfied triplets", ("satisfied",)),
    ("KL divergence to the style prior", ("kl",)),
    ("Mean attention mask", ("mean_mask",)),
    ("Gradient norms before clipping", ("gradient_norm",)),
    ("Learning rate", ("learning_rate",)),
)
OTHERS = "Other terms"
# Lines in one chart that can still be told apart.
MOST_LINES = 6
MOST_POINTS = 300
# Values that span more than this factor are drawn on a logarithmic axis.
LOG_SPAN = 30.0
WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 26

Series = list[tuple[float, float]]


def read_history(path: pathlib.Path) -> dict[str, Series]:
    """Columns of a history.csv: name -> (step, value); values that are no finite number are left out.

    A file that is absent or damaged gives what can be read of it.
    """
    series: dict[str, Series] = {}
    try:
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            for row in csv.DictReader(file):
                step = _number(row.pop("step", None))
                for name, text in row.items():
                    value = _number(text)
                    if name and step is not None and value is not None:
                        series.setdefault(name, []).append((step, value))
    except (OSError, csv.Error):
        pass
    return series


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def charts(history: dict[str, Series]) -> list[Markup]:
    """A figure for each group of terms of one stage's history."""
    left = dict(history)
    figures = []
    for title, patterns in (*GROUPS, (OTHERS, ("",))):
        names = [name for name in left if any(_matches(name, pattern) for pattern in patterns)]
        chosen = [(name, left.pop(name)) for name in names]
        for start in range(0, len(chosen), MOST_LINES):
            figures.append(chart(title, dict(chosen[start : start + MOST_LINES])))
    return figures


VALIDATION = "val_"
"""What a column's name begins with where it is of validation images: drawn in the chart of the term itself."""


def _matches(name: str, pattern: str) -> bool:
    name = name.removeprefix(VALIDATION)
    if pattern.endswith("_"):
        return name.startswith(pattern)
    return name == pattern or (pattern in ("gradient_norm", "learning_rate") and name.endswith(pattern)) or not pattern


def chart(title: str, series: dict[str, Series]) -> Markup:
    """One chart with its legend, which also names the last value of each line."""
    thinned = {name: _thin(points) for name, points in series.items()}
    frame = _Frame.around(thinned)
    last = {name: short(points[-1][1]) for name, points in series.items()}
    said = ", ".join(f"{_called(name)} {value}" for name, value in last.items())
    scale = "logarithmic axis" if frame.logarithmic else "linear axis"
    drawing = element(
        "svg",
        element("g", *frame.marks(), class_="axis"),
        *(_line(number, points, frame) for number, points in enumerate(thinned.values())),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{title} over {short(frame.last)} steps, {scale}. Last values: {said}.",
    )
    heading = element("figcaption", title, element("small", " log scale") if frame.logarithmic else None)
    legend = [_entry(number, name, value) for number, (name, value) in enumerate(last.items())]
    return element("figure", heading, drawing, element("ul", *legend, class_="legend"), class_="chart")


@dataclasses.dataclass(frozen=True)
class _Frame:
    """The axes of a chart: steps 0 to `last`, values `low` to `high`, and the ticks of the values."""

    last: float
    low: float
    high: float
    ticks: list[float]
    logarithmic: bool

    @classmethod
    def around(cls, series: dict[str, Series]) -> _Frame:
        last = max(step for points in series.values() for step, _ in points)
        values = [value for points in series.values() for _, value in points]
        logarithmic = min(values) > 0 and max(values) / min(values) >= LOG_SPAN
        ticks = log_ticks(min(values), max(values)) if logarithmic else linear_ticks(min(values), max(values))
        low, high = min(*values, *ticks), max(*values, *ticks)
        return cls(last if last > 0 else 1.0, low, high, ticks, logarithmic)

    def x(self, step: float) -> float:
        return LEFT + step / self.last * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        if self.logarithmic:
            span = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            span = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - span * (HEIGHT - TOP - BOTTOM)

    def marks(self) -> list[Markup]:
        """Lines and numbers of the values, numbers of the steps."""
        marks = []
        for tick in self.ticks:
            y = self.y(tick)
            marks.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}"))
            marks.append(element("text", short(tick), x=LEFT - 6, y=f"{y + 3.5:.1f}", text_anchor="end"))
        for tick in linear_ticks(0.0, self.last):
            if tick <= self.last:
                x = self.x(tick)
                anchor = "end" if x > WIDTH - 30 else "middle"
                marks.append(element("text", short(tick), x=f"{x:.1f}", y=HEIGHT - 9, text_anchor=anchor))
        return marks


def _line(number: int, points: Series, frame: _Frame) -> Markup:
    places = [(f"{frame.x(step):.1f}", f"{frame.y(value):.1f}") for step, value in points]
    if len(places) == 1:
        ((x, y),) = places
        return element("circle", cx=x, cy=y, r=3, class_=f"dot line-{number}")
    return element("polyline", points=" ".join(f"{x},{y}" for x, y in places), class_=f"line-{number}")


def _entry(number: int, name: str, value: str) -> Markup:
    swatch = element("span", class_=f"swatch swatch-{number}", aria_hidden="true")
    return element("li", swatch, f"{_called(name)} ", element("b", value))


def _called(name: str) -> str:
    plain = words(name.removeprefix(VALIDATION))
    return f"{plain}, validation" if name.startswith(VALIDATION) else plain


def _thin(points: Series) -> Series:
    """At most `MOST_POINTS` points: means of neighbouring ones."""
    size = math.ceil(len(points) / MOST_POINTS)
    if size <= 1:
        return points
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


def linear_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers that reach from below `low` to above `high`."""
    if high <= low:
        low, high = low - (abs(low) or 1.0) * 0.5, low + (abs(low) or 1.0) * 0.5
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    start, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(start, end + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten around `low` to `high`, every second or third where they are many."""
    start, end = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    stride = max(1, math.ceil((end - start) / 5))
    return [10.0**power for power in range(start, end + stride, stride)]


def short(value: float) -> str:
    """A number in few characters: 3 significant digits, thousands as k."""
    if value == 0:
        return "0"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    if abs(value) >= 1e4 or (abs(value) >= 1000 and value % 100 == 0):
        return f"{value / 1000:.3g}k"
    if abs(value) < 1e-3:
        return f"{value:.2g}".replace("e-0", "e-")
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def curves(title: str, figures: Sequence[Markup]) -> Markup:
    """The charts of one stage under a heading: the first in sight, the others folded."""
    first, *others = figures
    folded = details(f"{len(others)} more charts", element("div", *others, class_="charts")) if others else None
    return join([element("h3", title), element("div", first, class_="charts"), folded])
