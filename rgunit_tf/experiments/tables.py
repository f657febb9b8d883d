"""Tables 1-4 of the paper: their rows, which run and stage fill each, and what the paper printed there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from rgunit_tf.evaluation.metrics.precision_at_k import RANDOM_PREFIX
from rgunit_tf.evaluation.report import catalogue
from rgunit_tf.experiments.plan import Experiment, Variants


@dataclasses.dataclass(frozen=True)
class Column:
    """A figure of a table: its heading in the paper, and the metrics that may stand there, the paper's own first.

    Attributes:
      heading: the paper's.
      metrics: names in `metrics.json`; the first that a run has is shown, under its own name.
      scale: what our figure is multiplied by to be in the paper's unit (100 for a percentage).
    """

    heading: str
    metrics: tuple[str, ...]
    scale: float = 1.0

    @classmethod
    def of(cls, heading: str) -> Column:
        """The column of a heading, with the metrics that the catalogue puts there."""
        metrics = catalogue.column(heading)
        return cls(heading, tuple(metric.name for metric in metrics), metrics[0].scale)


FRECHET = Column.of("FID")
REALISM = Column.of("Frechet distance, ImageNet features")
SCORE = Column.of("IS")
DIVERSITY = Column.of("LPIPS")
ACCURACY = Column.of("ACC")
TRUTH = Column.of("L1 to the truth / input's")
OVER_FLOOR = Column.of("Frechet distance over that of real images")
KERNEL = Column.of("Kernel distance")
CHANGED = Column.of("Right where it had to change")
KEPT = Column.of("Right where it had to stay")
IDENTITY = Column.of("Nearest to their own input")
JUDGED = (OVER_FLOOR, KERNEL, CHANGED, KEPT, IDENTITY)
"""What networks that no training looked at say; the paper has none of it."""

Place = Callable[[Variants], tuple[Experiment, str]]


@dataclasses.dataclass(frozen=True)
class Row:
    """One model of a table.

    Attributes:
      label: the paper's name for it, or ours where the paper has no such row.
      place: the run and the stage that fill it, `real` for the figures of real images.
      paper: what the paper printed, by heading; empty where it has no such row.
      prefix: what the names of its figures begin with, where a stage has figures of several kinds.
    """

    label: str
    place: Place
    paper: dict[str, float] = dataclasses.field(default_factory=dict)
    prefix: str = ""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A claim of the paper: one row against another in one column.

    Attributes:
      text: what is compared.
      row: label of the row.
      against: label of the row that it is compared with.
      column: the figure.
      relative: as a share of `against`'s figure, not as a difference.
      paper: the paper's figure, None where it has none.
    """

    text: str
    row: str
    against: str
    column: Column
    relative: bool
    paper: float | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the paper."""

    number: int
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]


RANDOM = "Random images"
CONTINUED = "GMM-UNIT, as many updates as RG-UNIT"


def _retrieval(strategy: str) -> Place:
    return lambda runs: (runs.triplets(strategy), "retrieval")


def _numbers(columns: Sequence[Column], *values: float | None) -> dict[str, float]:
    """What the paper printed, by heading: of the first columns, or of all."""
    return {column.heading: v for column, v in zip(columns, values, strict=False) if v is not None}


def _claims(row: str, against: str) -> list[Comparison]:
    """A row against another in all that networks say which no training looked at."""
    text = f"{row} against {against}"
    claims = [Comparison(f"{text}, {column.heading}", row, against, column, True) for column in (OVER_FLOOR, KERNEL)]
    return claims + [
        Comparison(f"{text}, {column.heading}, points", row, against, column, False)
        for column in (CHANGED, KEPT, IDENTITY)
    ]


def triplet_table() -> Table:
    """Table 1: precision at 10 of retrieval models trained on different triplets, and of random images.

    The paper does not say what its row "Random" is. CelebA's labels do: of the five attributes (24, 15, 20, 42 and 77 %
    of the images have them) two random images share 64.4 %, where the row has 64.8 %. So it most likely is no strategy
    of training, but images drawn at random.
    """
    headings = ("Attributes", "Content", "Average score", "Same person's rank", "Same person first")
    columns = tuple(map(Column.of, headings))
    rows = (
        Row("Easy Negatives", _retrieval("easy"), _numbers(columns, 0.656, 0.792, 0.724)),
        Row("Medium Negatives", _retrieval("medium"), _numbers(columns, 0.656, 0.790, 0.723)),
        Row("Hard Negatives", _retrieval("hard"), _numbers(columns, 0.797, 0.786, 0.791)),
        Row("All", _retrieval("all"), _numbers(columns, 0.830, 0.775, 0.802)),
        Row("All, hard content for medium", _retrieval("hard_content")),
        Row("Random negatives", _retrieval("random")),
        Row(RANDOM, _retrieval("all"), _numbers(columns, 0.648, 0.754, 0.701), RANDOM_PREFIX),
    )
    comparisons = (
        Comparison(f"All over {RANDOM}, average score", "All", RANDOM, columns[2], False, 0.802 - 0.701),
        Comparison("All over random negatives, average score", "All", "Random negatives", columns[2], False),
    )
    return Table(1, "Image retrieval by the triplets it is trained on", columns, rows, comparisons)


def translation_table(variants: Sequence[str] = ()) -> Table:
    """Table 2: translation, guided by random images, guided; and the control with as many updates.

    Args:
      variants: other ways to guide, see `plan.guidance`: each with retrieved and with random images.
    """
    columns = (FRECHET, REALISM, SCORE, DIVERSITY, ACCURACY, TRUTH, *JUDGED)
    rows = [
        Row("GMM-UNIT", lambda runs: (runs.base, "translation"), _numbers(columns, 30.04, None, 3.051, 0.048, 97.0)),
        Row(CONTINUED, lambda runs: (runs.continued(), "guided")),
        Row(
            "RG-UNIT - Random Retrieval",
            lambda runs: (runs.random_neighbors(), "guided"),
            _numbers(columns, 31.08, None, 2.967, 0.036, 98.2),
        ),
        Row("RG-UNIT", lambda runs: (runs.base, "guided"), _numbers(columns, 27.61, None, 3.160, 0.042, 94.72)),
    ]
    comparisons = [
        Comparison("RG-UNIT against GMM-UNIT", "RG-UNIT", "GMM-UNIT", FRECHET, True, 27.61 / 30.04 - 1),
        Comparison("RG-UNIT against GMM-UNIT of as many updates", "RG-UNIT", CONTINUED, FRECHET, True),
        Comparison(
            "RG-UNIT against GMM-UNIT of as many updates, ImageNet features", "RG-UNIT", CONTINUED, REALISM, True
        ),
        Comparison(
            "RG-UNIT against random retrieval",
            "RG-UNIT",
            "RG-UNIT - Random Retrieval",
            FRECHET,
            True,
            27.61 / 31.08 - 1,
        ),
    ]
    for name in ("RG-UNIT", *(f"RG-UNIT, {variant}" for variant in variants)):
        comparisons += _claims(name, CONTINUED) + _claims(name, f"{name} - Random Retrieval")
    for variant in variants:
        rows += [
            Row(f"RG-UNIT, {variant} - Random Retrieval", _guided_by(variant, True)),
            Row(f"RG-UNIT, {variant}", _guided_by(variant)),
        ]
    rows.append(Row("Real images", lambda runs: (runs.base, "real"), _numbers(columns, None, None, 3.470, None, 93.1)))
    return Table(2, "Image translation", columns, tuple(rows), tuple(comparisons))


def _guided_by(variant: str, random: bool = False, percent: int = 100) -> Place:
    return lambda runs: (runs.guided_by(variant, random, runs.fraction(percent)), "guided")


def fraction_table(percents: Sequence[int] = (25, 50, 100), variants: Sequence[str] = ()) -> Table:
    """Table 3: trained on a share of the labelled images, retrieving from all images.

    Args:
      percents: the shares.
      variants: as for `translation_table`.
    """
    columns = (FRECHET, REALISM, SCORE, ACCURACY, TRUTH, *JUDGED)
    printed = {
        25: ((38.83, 2.648), (33.91, 3.079)),
        50: ((35.62, 2.726), (32.72, 3.250)),
        100: ((30.04, 3.051), (27.61, 3.160)),
    }
    rows, comparisons = [], []

    def place(percent: int, kind: str) -> Place:
        def find(runs: Variants) -> tuple[Experiment, str]:
            run = runs.fraction(percent)
            return {
                "translation": (run, "translation"),
                "continued": (runs.continued(run), "guided"),
                "random": (runs.random_neighbors(run), "guided"),
                "guided": (run, "guided"),
            }[kind]

        return find

    for percent in percents:
        paper = printed.get(percent)
        labels = {kind: f"{name} {percent} %" for kind, name in _KINDS.items()}
        for kind, label in labels.items():
            known = paper[0] if paper and kind == "translation" else paper[1] if paper and kind == "guided" else None
            numbers = _numbers(columns, known[0], None, known[1]) if known else {}
            rows.append(Row(label, place(percent, kind), numbers))
        for against in ("translation", "continued"):
            gain = paper[1][0] / paper[0][0] - 1 if paper and against == "translation" else None
            text = f"{labels['guided']} against {labels[against]}"
            comparisons.append(Comparison(text, labels["guided"], labels[against], FRECHET, True, gain))
        for variant in variants:
            rows += [
                Row(f"{labels['random']}, {variant}", _guided_by(variant, True, percent)),
                Row(f"{labels['guided']}, {variant}", _guided_by(variant, False, percent)),
            ]
        for ending in ("", *(f", {variant}" for variant in variants)):
            mine = labels["guided"] + ending
            comparisons += _claims(mine, labels["continued"]) + _claims(mine, labels["random"] + ending)
    return Table(3, "Less labelled data, the whole retrieval set", columns, tuple(rows), tuple(comparisons))


_KINDS = {
    "translation": "GMM-UNIT",
    "continued": CONTINUED + ",",
    "random": "RG-UNIT - Random Retrieval",
    "guided": "RG-UNIT",
}


def neighbors_table(counts: Sequence[int] = (1, 3, 10)) -> Table:
    """Table 4: guided by 1, 3 and 10 images."""
    columns = (FRECHET, REALISM, SCORE, ACCURACY, TRUTH)
    printed = {1: (28.45, None, 3.053, 97.28), 3: (27.61, None, 3.160, 94.72), 10: (28.61, None, 3.018, 96.62)}

    def place(count: int) -> Place:
        return lambda runs: (runs.neighbors(count), "guided")

    rows = [
        Row(
            f"RG-UNIT, r = {count}",
            place(count),
            _numbers(columns, *printed[count]) if count in printed else {},
        )
        for count in counts
    ]
    rows.append(Row(CONTINUED, lambda runs: (runs.continued(), "guided")))
    rows.append(Row("GMM-UNIT", lambda runs: (runs.base, "translation"), _numbers(columns, 30.04, None, 3.051, 97.0)))
    comparisons = tuple(
        Comparison(
            f"r = {count} against GMM-UNIT of as many updates", f"RG-UNIT, r = {count}", CONTINUED, FRECHET, True
        )
        for count in counts
    )
    return Table(4, "Number of retrieved images", columns, tuple(rows), comparisons)


def all_tables(
    percents: Sequence[int] = (25, 50, 100), counts: Sequence[int] = (1, 3, 10), variants: Sequence[str] = ()
) -> dict[int, Table]:
    """The four tables by number.

    Args:
      percents: shares of labelled data of Table 3, in percent.
      counts: numbers of retrieved images of Table 4.
      variants: other ways to guide, of Tables 2 and 3.
    """
    made = (triplet_table(), translation_table(variants), fraction_table(percents, variants), neighbors_table(counts))
    return {table.number: table for table in made}
