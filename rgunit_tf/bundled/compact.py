"""A run made small: what it takes to use it, in half precision, with a gallery of a few images."""

from __future__ import annotations

import os
import pathlib
import shutil

import numpy as np

from rgunit_tf import atomic
from rgunit_tf.config import to_plain
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.report import model_card
from rgunit_tf.retrieval import likeness
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.runs import contents, finished
from rgunit_tf.runs.checkpoints import recast
from rgunit_tf.runs.workdir import Workdir

IMAGES = 120


def write(workdir: Workdir, folder: str | os.PathLike, images: int = IMAGES) -> pathlib.Path:
    """Writes a copy of a run whose stages are all finished; it appears whole or not at all.

    Everything that loads a run to use it takes the copy: `rgunit_tf.load`, `bin/translate`, `bin/retrieve`, `bin/demo`.
    It has no discriminator, no data and no checkpoints.

    Args:
      workdir: of the run.
      folder: where; it must not exist.
      images: of the gallery, drawn at random; all of them where it holds no more.

    Returns:
      The folder.

    Raises:
      UserError: a stage is not finished or damaged, the folder exists, or too few images for the neighbours.
    """
    folder = pathlib.Path(folder)
    if folder.exists():
        raise UserError(f"{folder} exists already; delete it first")
    neighbors = finished.describe(workdir.stage("guided") / "final", "guided")["model"]["neighbors"]
    if images <= neighbors:
        raise UserError(f"{images} images are too few for {neighbors} neighbors of each; give more")
    gallery = finished.load_gallery(workdir, mapped=True)
    rows = np.sort(np.random.default_rng(0).permutation(gallery.size)[:images])
    config = workdir.config.copy_and_resolve_references()
    # Where they lie on another machine helps nobody.
    config.data.root = config.data.retrieval_source = ""
    with atomic.directory(folder) as temporary:
        copy = Workdir(temporary)
        atomic.write_json(temporary / "config.json", {"config": to_plain(config), "seed": config.train.seed})
        for name in ("translation", "retrieval", "guided"):
            final, source = copy.stage(name) / "final", workdir.stage(name) / "final"
            final.mkdir(parents=True)
            recast(source / "weights", final / "weights", "float16", without="discriminator")
            atomic.write_json(final / "stage.json", {**finished.describe(source, name), finished.COMPACT: True})
        batch = {"image": gallery.images(rows).numpy(), "id": gallery.ids[rows].astype(object)}
        # By the rounded weights, which embed the queries too.
        Gallery.build(
            finished.load(copy, "retrieval", inference=True), [batch], folder=copy.stage("retrieval") / "gallery"
        )
        known = finished.likeness_of(workdir)
        if known is not None:
            known.save(copy.stage("retrieval") / likeness.FILE, " ".join(contents.key(copy)))
        if (workdir.path / model_card.FILE).is_file():
            shutil.copy(workdir.path / model_card.FILE, temporary)
    return folder
