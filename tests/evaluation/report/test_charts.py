import re

import pytest

from rgunit_tf.evaluation.report import charts as report_charts
from rgunit_tf.evaluation.report.charts import charts, linear_ticks, log_ticks, read_history, short
from rgunit_tf.evaluation.report.page import STYLE


def points_of(svg: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'<polyline points="([^"]*)"', svg)
    return [[tuple(map(float, pair.split(","))) for pair in line.split()] for line in lines]


def test_history_is_read_and_what_is_no_number_left_out(tmp_path):
    (tmp_path / "history.csv").write_text("step,cycle,kl\n100,0.5,nan\n200,0.25,7\nbroken\n300,,inf\n")
    assert read_history(tmp_path / "history.csv") == {"cycle": [(100, 0.5), (200, 0.25)], "kl": [(200, 7.0)]}


def test_an_absent_or_garbled_history_is_an_empty_one(tmp_path):
    assert read_history(tmp_path / "absent.csv") == {}
    (tmp_path / "history.csv").write_bytes(b"\xff\xfe\x00garbage")
    assert read_history(tmp_path / "history.csv") == {}


def test_each_term_is_in_one_chart_and_unknown_ones_too():
    names = ["generator_loss", "cycle", "style", "kl", "loss_easy", "gradient_norm", "something_new"]
    drawn = charts({name: [(1, 0.5), (2, 0.4)] for name in names})
    text = "".join(drawn)
    for name in names:
        assert text.count(f"</span>{name.replace('_', ' ')} <b>") == 1, name
    assert "Other terms" in drawn[-1] and "something new" in drawn[-1]
    assert "cycle" in drawn[1] and "style" in drawn[1], "of one kind and of one size"


def test_many_lines_are_spread_over_charts():
    drawn = charts({f"loss_{number}": [(1, 1.0), (2, 2.0)] for number in range(8)})
    assert len(drawn) == 2 and [len(points_of(svg)) for svg in drawn] == [6, 2]


def test_a_falling_loss_falls_within_the_frame():
    (line,) = points_of(charts({"cycle": [(step, 1.0 / step) for step in range(1, 11)]})[0])
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert [y for _, y in line] == sorted(y for _, y in line), "SVG's y grows downwards"
    for x, y in line:
        assert report_charts.LEFT <= x <= report_charts.WIDTH and 0 <= y <= report_charts.HEIGHT


def test_every_line_of_a_chart_has_a_colour_and_a_dash():
    css = STYLE.read_text()
    for number in range(report_charts.MOST_LINES):
        assert f".line-{number} {{ stroke: var(--line-{number}); stroke-dasharray:" in css
        assert css.count(f"--line-{number}: #") == 2, "on light and on dark ground"


def test_wide_spans_are_logarithmic_and_what_is_not_positive_never():
    spread = [(1, 100.0), (2, 10.0), (3, 1.0)]
    drawn = charts({"kl": spread})[0]
    assert "log scale" in drawn and "logarithmic axis" in drawn
    (line,) = points_of(drawn)
    assert line[0][1] - line[1][1] == pytest.approx(line[1][1] - line[2][1], abs=0.2), "equal factors, equal steps"
    assert "log scale" not in charts({"kl": [*spread, (4, 0.0)]})[0]


@pytest.mark.parametrize("points", [[(100, 0.5)], [(100, 0.0), (200, 0.0)], [(0, 3.0)], [(1, -2.0), (2, -1.0)]])
def test_odd_series_are_drawn(points):
    (drawn,) = charts({"cycle": points})
    assert "<svg" in drawn and "nan" not in drawn and "inf" not in drawn


def test_long_histories_are_thinned_by_means():
    drawn = charts({"cycle": [(step, float(step % 2)) for step in range(1, 5001)]})[0]
    (line,) = points_of(drawn)
    assert 200 < len(line) <= report_charts.MOST_POINTS
    assert ">0.5<" in drawn and ">1<" not in drawn, "the axis is that of means of ones and zeros"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (0, 8500, [0, 2500, 5000, 7500, 10000]), (-1, 1, [-1, -0.5, 0, 0.5, 1])],
)
def test_ticks_are_round(low, high, ticks):
    assert linear_ticks(low, high) == pytest.approx(ticks)


def test_logarithmic_ticks_enclose_the_values():
    assert log_ticks(0.03, 20) == pytest.approx([0.01, 0.1, 1, 10, 100])
    assert len(log_ticks(1e-12, 1e12)) < 8


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.5, "0.5"), (12.345, "12.3"), (8500, "8.5k"), (8512, "8512"), (100000, "100k"), (3e-5, "3e-5")],
)
def test_numbers_are_short(value, text):
    assert short(value) == text


def test_validation_is_drawn_with_the_term_it_is_of():
    points = [(100.0, 2.0), (200.0, 1.0)]
    (drawn,) = charts({"generator_loss": points, "val_generator_loss": points})
    assert "generator loss, validation" in drawn and drawn.count("<polyline") == 2
