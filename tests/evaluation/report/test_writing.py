"""The page of a report: its content, and, where there is a Chromium, what a browser makes of it."""

import html
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from rgunit_tf.config import STAGES
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.figures.sheet import FigureSheet
from rgunit_tf.evaluation.report import figures as report_figures
from rgunit_tf.evaluation.report import writing as report
from rgunit_tf.runs.workdir import Workdir
from tests.evaluation.report.runs_and_pages import Page, make_run, sheet

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(run):
    return Page(report.write_report(run))


def test_the_page_has_every_part(page):
    sections = ("Results", "Pictures", "Worst and best", "Training", "Run", "Settings")
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page.source) == list(sections)
    for words in (
        *("a_run: translation report", "0.900 0.890 – 0.910", "0.980", "undefined", "1200 images", "95% interval"),
        *("Figure translations", "Figure retrievals", "Figure worst", "Caption of best."),
        *(
            "700 steps",
            "4 min",
            "4,800",
            "0.987",
            "tensorflow 2.15.1",
            "tensorflow 2.14.9, revision 0123abcd",
            "06 May 2024, 07:08 UTC",
        ),
        *("loss.cycle", "2.5", "weight of cycle consistency, Eq. 5"),
    ):
        assert words in page.words, words


def test_settings_that_differ_come_before_all_of_them(page):
    first, folded = page.source.split('id="settings"')[1].split("<details>")
    assert re.findall(r'<tr><th scope="row">(.*?)</th>', first) == ["data.image_size", "loss.cycle"]
    assert folded.count("<tr>") > 60


def test_nothing_lies_outside_of_the_page(page):
    assert page.links
    for link in page.links:
        assert link.startswith("data:image/") or (link.startswith("#") and link[1:] in page.ids), link[:80]
    assert "url(" not in page.source and "@import" not in page.source
    assert "default-src 'none'" in html.unescape(page.source)


def test_headings_are_nested_and_pictures_have_words(page):
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert len(page.images) > 20
    for image in page.images:
        assert image["alt"].strip() and image["width"] == "32"
    assert len(set(page.ids)) == len(page.ids)


def test_names_of_the_data_are_text(page):
    assert '<b onclick="x">' in page.words, "as text"
    assert "<b onclick" not in page.source


def test_the_earlier_stage_is_folded_below_the_later_one(page):
    pictures = page.source.split('id="pictures"')[1].split('id="worst-and-best"')[0]
    assert pictures.index("Guided stage") < pictures.index("The same by the translation stage")
    assert pictures.count("<h3>Figure translations</h3>") == 1 and pictures.count("<h4>Figure translations</h4>") == 1


def test_a_picture_keeps_its_pixels(run, page):
    import base64
    import io

    from PIL import Image

    original = FigureSheet.load(run.path / "evaluation/figures/guided/translations.png").rows[0][0]
    shown = Image.open(io.BytesIO(base64.b64decode(page.images[0]["src"].split(",")[1])))
    np.testing.assert_array_equal(np.asarray(shown), original)


@pytest.mark.parametrize("stages", [(), ("translation",), ("translation", "retrieval")])
def test_whatever_is_finished_is_shown(tmp_path, stages):
    run = make_run(tmp_path, stages)
    page = Page(report.write_report(run))
    for stage in STAGES:
        assert (f"{stage.capitalize()} stage" in page.words) == (stage in stages)
    assert page.words.count("not finished") == 3 - len(stages)
    assert "Settings" in page.words


def test_damaged_files_are_left_out(tmp_path):
    run = make_run(tmp_path)
    figures = run.path / "evaluation/figures/guided"
    (figures / "translations.png").write_bytes(b"no picture")
    (figures / "worst.png").unlink()
    (run.path / "guided/history.csv").write_bytes(b"\xff\x00")
    page = Page(report.write_report(run))
    assert "Figure best" in page.words and "Figure translations" in page.words, "that of the translation stage"
    (run.path / "evaluation/metrics.json").write_text('{"stages": [')
    assert "Nothing has been measured yet." in Page(report.write_report(run)).words
    assert not list(run.path.glob("**/.partial-*"))


def test_large_pictures_of_many_attributes_make_no_large_page(tmp_path, monkeypatch):
    attributes = tuple(f"Attribute_{number}" for number in range(40))
    run = make_run(tmp_path, ("translation",), attributes, size=200)
    path = report.write_report(run)
    assert path.stat().st_size < 5_000_000
    assert "Attribute 39" in Page(path).words and "and 34 more" in Page(path).words
    assert {image["width"] for image in Page(path).images} == {"160"}
    monkeypatch.setattr(report, "MOST_BYTES", path.stat().st_size * 2 // 3)
    report.write_report(run)
    assert {image["width"] for image in Page(path).images} <= {"128", "96"}


def test_a_missing_config_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"config\.json"):
        report.write_report(Workdir(tmp_path))


def test_the_report_is_current_until_a_stage_is_trained_or_left_unmeasured(tmp_path):
    run = make_run(tmp_path)
    assert not report.is_current(run)
    report.write_report(run)
    assert report.is_current(run)
    stage = run.path / "guided/final/stage.json"
    trained = stage.read_text()
    stage.write_text(trained.replace("240.5", "250.5"))
    assert not report.is_current(run), "trained anew"
    stage.write_text(trained)
    assert report.is_current(run)
    metrics = run.path / "evaluation/metrics.json"
    measured = json.loads(metrics.read_text())
    del measured["stages"]["guided"]
    metrics.write_text(json.dumps(measured))
    assert not report.is_current(run), "not measured"


def test_the_head_of_the_page_shows_true_translations():
    pets = FigureSheet("T", "C", ["Input", "cat", "dog"], sheet("x", ["a", "b", "c"], rows=2).rows, ["cat", "dog"])
    opening = report_figures.opening({"translation": {}, "guided": {"translations": pets}})
    assert re.findall(r"<figcaption>(.*?)</figcaption>", opening) == ["Input", "dog", "Input", "cat"]
    assert report_figures.opening({"retrieval": {}}) is None


def test_large_pictures_become_small_ones():
    large = np.zeros((160, 160, 3), np.uint8)
    assert report_figures.data_uri(large).startswith("data:image/jpeg")
    assert report_figures.data_uri(large[:32, :32]).startswith("data:image/png")
    sheets = {"guided": {"best": sheet("best", ["Input"], size=200)}}
    (row, *_) = report_figures.shrunk(sheets, 96)["guided"]["best"].rows
    assert row[0].shape == (96, 96, 3)


MEASURE = """<!DOCTYPE html><iframe style="width:%dpx;height:900px;border:0" src="%s"></iframe><pre id="result"></pre>
<script>
addEventListener("load", async () => {
  const page = document.querySelector("iframe").contentDocument, view = document.querySelector("iframe").contentWindow;
  page.querySelectorAll("details").forEach(part => part.open = true);
  const images = [...page.images];
  await Promise.all(images.map(image => image.decode().catch(() => null)));
  document.getElementById("result").textContent = "measured " + JSON.stringify({
    width: page.documentElement.scrollWidth,
    images: images.length,
    broken: images.filter(image => !(image.complete && image.naturalWidth)).length,
    requests: view.performance.getEntriesByType("resource").map(entry => entry.name)
      .filter(name => !name.startsWith("data:")),
    wide: [...page.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > %d + 1)
      .map(e => e.tagName + "." + e.className).slice(0, 5),
  }) + " end";
});
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.parametrize("width", [320, 360, 1200])
def test_a_browser_shows_it_whole(run, page, tmp_path, width):
    address = (run.path / "evaluation" / report.REPORT).as_uri()
    (tmp_path / "measure.html").write_text(MEASURE % (width, address, width))
    quiet = ("gpu", "quic", "background-networking", "component-update", "sync")
    result = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)),
            *("--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}"),
            *("--virtual-time-budget=20000", "--dump-dom", (tmp_path / "measure.html").as_uri()),
        ],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    found = re.search(r">measured (\{.*?\}) end<", result.stdout)
    assert found, result.stderr[-2000:]
    measured = json.loads(html.unescape(found[1]))
    assert measured["images"] == len(page.images) and measured["broken"] == 0
    assert measured["requests"] == []
    assert measured["width"] <= width, measured["wide"]
