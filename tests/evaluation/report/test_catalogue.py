from rgunit_tf.evaluation.report import catalogue, summary
from rgunit_tf.evaluation.report import metrics as report_metrics
from rgunit_tf.evaluation.report.catalogue import CATALOGUE, Metric

RECORD = {"value": 0.5, "interval": [0.4, 0.6], "images": 12}
REPORT = {
    "classifier": {"name": "classifier", "real_test": {"accuracy_mean": 0.99}},
    "stages": {"guided": {"metrics": {**dict.fromkeys(CATALOGUE, RECORD), "new_one": RECORD, "f1/Male": RECORD}}},
}


def test_each_name_has_one_entry_and_each_tile_a_place_of_its_own():
    metrics = list(CATALOGUE.values())
    assert [metric.name for metric in metrics] == list(CATALOGUE) and len(metrics) == len(catalogue._ALL)
    assert {metric.better for metric in metrics} == {-1, 0, 1}
    places = [metric.tile for metric in catalogue.tiles()]
    assert places == list(range(1, len(places) + 1))


def test_the_console_prints_what_the_catalogue_says():
    text = [line.split()[1] for line in summary.lines(REPORT)[1:]]
    assert text == [name for name, metric in CATALOGUE.items() if metric.console]


def test_the_page_shows_what_the_catalogue_says():
    tiles, table = report_metrics.tiles(REPORT), report_metrics.main_tables(REPORT)
    for metric in catalogue.tiles()[: report_metrics.MOST_TILES]:
        assert str(report_metrics.element("dt", metric.heading)) in tiles
    rows = [table.index(text) for text in ("Accuracy of the attributes<", "F1 of the attributes<", "Images a second<")]
    assert rows == sorted(rows) and table.index("new one") > rows[-1], "the unknown one is last"
    attributes = report_metrics.attribute_table(REPORT, ("Male",))
    assert CATALOGUE["f1"].by_attribute in attributes and CATALOGUE["accuracy"].by_attribute not in attributes


def test_a_name_without_an_entry_is_called_by_its_words():
    assert catalogue.find("some_new/figure_of") == Metric("some_new/figure_of", "some new, figure of")


def test_a_column_of_the_tables_lists_the_papers_own_metric_first():
    assert [metric.name for metric in catalogue.column("FID")] == ["fid", "frechet_classifier_distance"]
    assert [metric.name for metric in catalogue.column("IS")] == ["inception_score", "classifier_score"]
    assert [metric.name for metric in catalogue.column("LPIPS")] == ["lpips", "classifier_feature_diversity"]


def test_what_training_saw_is_marked_and_never_a_headline():
    seen = {**RECORD, "seen_in_training": True}
    report = {**REPORT, "stages": {"guided": {"metrics": {"frechet_mobilenet_distance": seen, "accuracy": RECORD}}}}
    told = "no judgement: training saw this network"
    (line,) = [line for line in summary.lines(report) if "frechet_mobilenet_distance" in line]
    assert line.endswith(f"(12 images; {told})")
    tiles = report_metrics.tiles(report)
    assert "MobileNet" not in tiles and CATALOGUE["accuracy"].heading in tiles
    assert told in report_metrics.main_tables(report) and told in report_metrics.every_figure(report)
