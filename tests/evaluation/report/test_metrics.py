import html
import re

import pytest

from rgunit_tf.evaluation.report import metrics as report_metrics


def record(value, interval=None, words="judge", **more):
    return {
        "value": value,
        "interval": interval,
        "confidence": 0.95 if interval else None,
        "images": 1200,
        "computed_with": words,
        "seed": 3,
        "seconds": 1.0,
        **more,
    }


def cells(table: str) -> dict[str, list[str]]:
    """First words of each row -> the plain text of its cells."""
    rows = {}
    for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL):
        texts = [re.sub(r"<[^>]*>", " ", cell).split() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        rows[html.unescape(" ".join(texts[0]))] = [html.unescape(" ".join(text)) for text in texts[1:]]
    return rows


ATTRIBUTES = ("Male", "Young")
REPORT = {
    "stages": {
        "translation": {"metrics": {"accuracy": record(0.9, [0.85, 0.95]), "accuracy/Male": record(0.8)}},
        "retrieval": {
            "metrics": {
                "precision_at_10/average": record(0.7),
                "random_images/precision_at_10/average": record(0.4),
                "precision_at_10/Male": record(0.6),
            }
        },
        "guided": {
            "metrics": {
                "accuracy": record(0.91, [0.86, 0.96]),
                "accuracy/Male": record(0.81),
                "frechet_classifier_distance": record(4.0),
                "floor_frechet_classifier_distance": record(1.25, words="floor"),
                "counterfactual_l1": record(11.0),
                "counterfactual_l1_input": record(22.0),
                "something_new": record(None),
                "classifier_feature_diversity": record(0.05),
                "no_neighbors/accuracy": record(0.7),
            }
        },
    },
    "real": {
        "metrics": {
            "accuracy": record(0.99),
            "accuracy/Male": record(0.98),
            "classifier_feature_pair_distance": record(0.25),
        }
    },
}


def test_stages_stand_side_by_side_with_real_images_and_the_input_beside_them():
    tables = report_metrics.main_tables(REPORT)
    rows = cells(tables)
    assert rows["Figure"] in (["Translation", "Guided", "For comparison"], ["Retrieval", "Random images"])
    (accuracy,) = (row for name, row in rows.items() if name.startswith("Accuracy of the attributes"))
    assert accuracy == ["0.900 0.850 – 0.950", "0.910 0.860 – 0.960", "real images 0.990"]
    (frechet,) = (row for name, row in rows.items() if name.startswith("Frechet distance of"))
    assert frechet == ["–", "4", "real images 1.250"]
    (precision,) = (row for name, row in rows.items() if name.startswith("P@10, average"))
    assert precision == ["0.700", "0.400"]
    (truth,) = (row for name, row in rows.items() if name.startswith("L1 to the truth"))
    assert truth == ["–", "11", "input 22"]
    (diversity,) = (row for name, row in rows.items() if name.startswith("Diversity"))
    assert diversity == ["–", "0.050", "two real images 0.250"]
    (misguided,) = (row for name, row in rows.items() if name.startswith("No neighbours, accuracy"))
    assert misguided == ["–", "0.700", "–"]
    assert not any(name.startswith(("floor", "counterfactual l1 input", "accuracy, Male")) for name in rows)


def test_a_figure_that_nobody_expected_is_shown_and_an_undefined_one_says_so():
    rows = cells(report_metrics.main_tables(REPORT))
    (new,) = (row for name, row in rows.items() if name.startswith("something new"))
    assert new == ["–", "undefined", "–"]


def test_each_figure_leads_to_a_note_that_is_printed():
    tables = report_metrics.main_tables(REPORT)
    marks = {int(place) for place in re.findall(r'href="#note-(\d+)"', tables)}
    notes = dict(re.findall(r'<li id="note-(\d+)">(.*?)</li>', tables))
    assert marks == set(map(int, notes)) and marks
    assert "judge; 1200 images; 95% interval; seed 3" in notes.values()
    assert "floor; 1200 images; seed 3" in notes.values()
    assert len(set(notes.values())) == len(notes), "the same words have one note"


def test_the_attribute_table_is_of_the_last_stage_that_translates():
    rows = cells(report_metrics.attribute_table(REPORT, ATTRIBUTES))
    assert rows["Attribute"] == ["Accuracy", "Accuracy on real images", "Retrieval, P@10"]
    assert rows["Male"] == ["0.810", "0.980", "0.600"]
    assert rows["Young"] == ["–", "–", "–"]


def test_tiles_take_the_newest_stage_and_leave_out_what_is_undefined():
    tiles = report_metrics.tiles(REPORT)
    assert ">0.910<" in tiles and ">0.900<" not in tiles and ">0.700<" in tiles
    assert tiles.count("<dt>") == 2
    assert report_metrics.tiles({}) == ""


def test_every_record_is_in_the_long_table():
    text = report_metrics.every_figure(REPORT)
    assert "All 17 figures" in text
    assert "guided: floor_frechet_classifier_distance" in text and "real images: accuracy/Male" in text


@pytest.mark.parametrize("report", [{}, {"stages": {}}, {"stages": {"guided": {}}}, {"stages": None, "real": None}])
def test_nothing_measured_is_no_error(report):
    report_metrics.main_tables(report)
    assert report_metrics.attribute_table(report, ATTRIBUTES) is None
    assert report_metrics.every_figure(report) == ""


def test_words_of_the_data_are_escaped():
    name = '<img src=x onerror="alert(1)">'
    report = {"stages": {"guided": {"metrics": {f"accuracy/{name}": record(0.5, words=name), name: record(1.0)}}}}
    for text in (
        report_metrics.main_tables(report),
        report_metrics.attribute_table(report, (name,)),
        report_metrics.every_figure(report),
    ):
        assert "<img" not in text and "alert(" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "undefined"),
        (0.9934, "0.993"),
        (0, "0.000"),
        (4.0, "4"),
        (17.34, "17.3"),
        (0.00043, "0.0004"),
        (4512.3, "4512"),
        (-0.00001, "-1e-05"),
    ],
)
def test_numbers_have_the_digits_that_matter(value, text):
    assert report_metrics.number(value) == text


@pytest.mark.parametrize(
    ("interval", "said"), [([0.01, 0.03], "better"), ([-0.03, -0.01], "worse"), ([-0.01, 0.03], "may be chance")]
)
def test_how_much_guided_is_better_stands_beside_its_figure(interval, said):
    figure = {"value": 0.9, "interval": [0.89, 0.91], "images": 12}
    stages = {name: {"metrics": {"accuracy": figure}} for name in ("translation", "guided")}
    less = {"accuracy": {"value": sum(interval) / 2, "interval": interval}}
    text = report_metrics.main_tables({"stages": stages, "guided_less_translation": less})
    assert text.count("difference") == 1 and said in text
    assert "difference" not in report_metrics.main_tables({"stages": stages})
