"""Evaluated runs without their models, and a reader of pages."""

import html.parser
import json
import re

import numpy as np

from rgunit_tf import config as settings
from rgunit_tf.config import STAGES
from rgunit_tf.evaluation.figures.sheet import FigureSheet
from rgunit_tf.runs.workdir import Workdir

ODD = '<b onclick="x">Odd & "quoted"</b>, a_very_long_name_without_a_single_space_that_no_phone_could_show'
VOID = {"img", "meta", "br"}


def record(value, words="attribute classifier (32 px, 64 features)"):
    return {
        "value": value,
        "interval": None if value is None else [value - 0.01, value + 0.01],
        "confidence": 0.95,
        "images": 1200,
        "computed_with": words,
        "seed": 0,
        "seconds": 1.5,
    }


def sheet(name, columns, rows=3, size=32):
    pixels = np.random.default_rng(len(name)).integers(0, 256, (rows, len(columns), size, size, 3), dtype=np.uint8)
    return FigureSheet(f"Figure {name}", f"Caption of {name}.", columns, list(pixels), [f"to {ODD}"] * rows)


def make_run(folder, stages=STAGES, attributes=("Black_Hair", ODD, "Male"), size=32):
    """A workdir as bin/train and bin/evaluate leave it, without the models."""
    workdir = Workdir(folder / "a_run")
    config = settings.default_config()
    config.data.image_size = 64
    config.loss.cycle = 2.5
    workdir.path.mkdir()
    origin = {"versions": {"tensorflow": "2.14.9"}, "revision": "0123abcd"}
    (workdir.path / "config.json").write_text(json.dumps({"config": settings.to_plain(config), **origin}))
    measured = {}
    for stage in stages:
        final = workdir.path / stage / "final"
        final.mkdir(parents=True)
        (final / "stage.json").write_text(json.dumps({"format": 1, "stage": stage, "steps": 700, "seconds": 240.5}))
        (workdir.path / stage / "history.csv").write_text("step,cycle,kl\n100,0.5,90\n200,0.25,8\n")
        if stage == "retrieval":
            metrics, figures = {"precision_at_10/average": record(0.8)}, {"retrievals": ["Query", "Retrieved 1"]}
        else:
            metrics = {"accuracy": record(0.9), "counterfactual_ssim": record(None)}
            metrics.update({f"accuracy/{name}": record(0.9) for name in attributes})
            figures = {
                "translations": ["Input", *attributes[:4]],
                "best": ["Input", "Truth"],
                "worst": ["Input", "Truth"],
            }
        for name, columns in figures.items():
            sheet(name, columns, size=size).save(workdir.path / f"evaluation/figures/{stage}/{name}.png")
        measured[stage] = {"metrics": metrics, "figures": [f"{name}.png" for name in figures], "seconds": 20.0}
    metrics = {
        "format": 1,
        "created": "2024-05-06T07:08:09+00:00",
        "seed": 0,
        "data": {"source": "avatars", "image_size": 64, "attributes": list(attributes), "train_images": 4800},
        "versions": {"python": "3.11.4", "tensorflow": "2.15.1"},
        "classifier": {"name": "attribute classifier", "real_test": {"accuracy_mean": 0.987}},
        "real": {"metrics": {"accuracy": record(0.98)}},
        "stages": measured,
    }
    if stages:
        (workdir.path / "evaluation/metrics.json").write_text(json.dumps(metrics, sort_keys=True))
    return workdir


class Page(html.parser.HTMLParser):
    """Reads a page; complains of elements that are not closed in order."""

    def __init__(self, path):
        super().__init__()
        self.open, self.text, self.links, self.images, self.headings, self.ids = [], [], [], [], [], []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.links += [attributes[name] for name in ("href", "src", "srcset", "data", "action") if name in attributes]
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag == "img":
            self.images.append(attributes)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        assert not any(name.startswith("on") for name in attributes) and tag != "script"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())
