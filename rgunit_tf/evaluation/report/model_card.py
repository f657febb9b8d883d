"""MODEL_CARD.md of a run and of its exports: what the model is, made of what, how well it does, and its limits."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from rgunit_tf import atomic
from rgunit_tf.config import STAGES
from rgunit_tf.names import printable
from rgunit_tf.runs.workdir import Workdir

FILE = "MODEL_CARD.md"

_TEMPLATE = """\
# {name}

A retrieval-guided image translation model (RG-UNIT, Gomez et al., ACM MM 2020): it changes attributes of a picture
and keeps the rest. Made by `rgunit_tf` {version}; finished stages: {stages}.

## Data

- {data}
- Images: {counts}
- Attributes: {attributes}
- Size: {size} x {size} px{crop}
{licence}
## Training

{training}
- Made with {versions}

## Measured figures

{figures}

## Limits

- It works at {size} x {size} px; larger pictures are made smaller, and what it draws is no sharper than that.
- It changes the attributes named above and no others, and has seen its own data alone: pictures of another kind, or
  of people that are rare in them, come out worse. `translate` names pictures that are unlike the data.
- What goes with an attribute in the data may change along with it.{weak}
- Its pictures are made up. They are no evidence of how somebody looks, looked or will look; say so where they are
  shown, and do not use them to identify or to deceive.
"""

_PUBLISHED = {
    "avatars": "Cartoon faces, drawn by python-avatars",
    "celeba": "Photographs with attribute labels, in CelebA's layout",
    "folder": "A folder a domain",
    "tfrecord": "TFRecord shards",
}
_LICENCES = {"avatars": "The drawings are made by python-avatars, which is under the MIT licence."}
_SUMS = ("attributes", "content", "average")
_WEAK = 0.7
"""An attribute that changes as asked in a smaller share of the pictures is named."""


def write(workdir: Workdir) -> pathlib.Path:
    """Writes the card of a run, and the same to the newest export of each stage.

    Args:
      workdir: with a config; what is not there yet (stages, evaluation/metrics.json) is said to be missing.

    Raises:
      UserError: the config is missing or damaged.
    """
    text = card(workdir)
    folders = [workdir.path]
    for stage in workdir.finished_stages():
        versions = [path for path in (workdir.stage(stage) / "export").glob("*") if path.name.isdigit()]
        folders += [max(versions, key=lambda path: int(path.name))] if versions else []
    for folder in folders:
        with atomic.path(folder / FILE) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return workdir.path / FILE


def card(workdir: Workdir) -> str:
    """The text, Markdown, of what lies in a workdir; see `write`."""
    config, origin = workdir.config, _read(workdir.path / "config.json")
    measured = _read(workdir.path / "evaluation" / "metrics.json")
    facts = {name: _read(workdir.stage(name) / "final" / "stage.json") for name in workdir.finished_stages()}
    known = measured.get("data") or {}
    share = f", of which the centre is taken as `data.crop={config.data.crop}` says" if config.data.crop else ""
    licence = _LICENCES.get(config.data.source)
    return _TEMPLATE.format(
        name=printable(workdir.path.resolve().name),
        version=(origin.get("versions") or {}).get("rgunit_tf", "of an unknown version"),
        stages=", ".join(facts) or "none",
        data=_data(config.data, origin),
        counts=_counts(known),
        attributes=", ".join(map(str, known.get("attributes") or _attributes(facts) or config.data.attributes)),
        size=known.get("image_size", config.data.image_size),
        crop=share,
        licence=f"- Licence: {licence}\n" if licence else "",
        training="\n".join(_training(config, facts, origin)) or "- Not finished.",
        versions=", ".join(f"{name} {value}" for name, value in (origin.get("versions") or {}).items()) or "unknown",
        figures=_figures(measured),
        weak=_weak(measured),
    )


def _data(data: Any, origin: Mapping[str, Any]) -> str:
    """The data by name; not where they lie, which says nothing elsewhere."""
    folder = f", `{printable(pathlib.PurePath(data.root).name)}`" if data.root else ""
    told = f"; fingerprint {origin['data_fingerprint']}" if "data_fingerprint" in origin else ""
    part = f"; {data.fraction:.0%} of the training images have labels" if data.fraction < 1.0 else ""
    return f"{_PUBLISHED.get(data.source, data.source)}{folder}{told}{part}"


def _counts(known: Mapping[str, Any]) -> str:
    names = ("train", "validation", "test", "gallery")
    shown = [f"{known[f'{name}_images']:,} {name}" for name in names if f"{name}_images" in known]
    return ", ".join(shown) or "not counted yet; `bin/evaluate` does"


def _attributes(facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    schema = (facts.get("translation", {}).get("model") or {}).get("schema") or {}
    return list(schema.get("names") or ())


def _training(config: Any, facts: Mapping[str, Mapping[str, Any]], origin: Mapping[str, Any]) -> Iterator[str]:
    for name in STAGES:
        if name in facts:
            settings = config[name]
            yield (
                f"- {name}: {facts[name].get('steps', 'unknown')} steps of {settings.batch_size} images, learning rate "
                f"{settings.learning_rate:g}, {config.train.precision}"
            )
    if origin.get("init_from"):
        yield f"- Started from the weights of `{printable(pathlib.PurePath(origin['init_from']).name)}`"
    if facts:
        yield f"- Seed {origin.get('seed', config.train.seed)}" + (
            f", revision {origin['revision']}" if origin.get("revision") else ""
        )


def _figures(measured: Mapping[str, Any]) -> str:
    """A table with the names of metrics.json."""
    stages = {name: result.get("metrics", {}) for name, result in (measured.get("stages") or {}).items()}
    names = sorted({name for metrics in stages.values() for name in metrics if _is_shown(name)})
    order = [name for name in STAGES if name in stages]
    if not names:
        return "None yet; `bin/evaluate` measures."
    rows = [["", *order], ["---"] * (1 + len(order))]
    rows += [[f"`{name}`", *(_shown(stages[stage].get(name)) for stage in order)] for name in names]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    images = (measured.get("data") or {}).get("test_images")
    on = f" on {images:,} test images" if images else ""
    return f"As in `evaluation/metrics.json`, which says what each was computed with{on}; 95 % intervals.\n\n{table}"


def _is_shown(name: str) -> bool:
    _, slash, last = name.partition("/")
    return (not slash or last in _SUMS) and not name.startswith(("floor_", "random_images/"))


def _shown(record: Mapping[str, Any] | None) -> str:
    if record is None or record.get("value") is None:
        return "-"
    interval = record.get("interval")
    bounds = f" [{interval[0]:.3g}, {interval[1]:.3g}]" if interval else ""
    seen = " (no judgement: training saw this network)" if record.get("seen_in_training") else ""
    return f"{record['value']:.3g}{bounds}{seen}"


def _weak(measured: Mapping[str, Any]) -> str:
    """Attributes that often do not change as asked, in words."""
    stages = measured.get("stages") or {}
    last = next((stages[name].get("metrics", {}) for name in ("guided", "translation") if name in stages), {})
    prefix = "changed_accuracy/"
    shares = {
        name.removeprefix(prefix): record.get("value") for name, record in last.items() if name.startswith(prefix)
    }
    weak = {name: share for name, share in shares.items() if share is not None and share < _WEAK}
    if not weak:
        return ""
    told = ", ".join(f"{name} ({share:.0%})" for name, share in sorted(weak.items(), key=lambda item: item[1]))
    return f"\n- Often not changed as asked (share that was): {told}."


def _read(file: pathlib.Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where it is absent or damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
