"""Exports the finished stages of a run, decoding image files as its config does."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

from rgunit_tf.data.crop import crop_share
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.retrieval.likeness import FILE
from rgunit_tf.retrieval.sharded import shard_folders, shard_name
from rgunit_tf.runs import finished, server_config
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.serving import convert
from rgunit_tf.serving.export import export, newest_version


def export_stage(
    workdir: Workdir,
    name: str,
    index: str | None = None,
    gallery_dtype: str = "float32",
    models_root: str = server_config.MODELS_ROOT,
    form: str = "savedmodel",
) -> pathlib.Path:
    """Exports a finished stage of a workdir to `<stage>/export/<version>/`, decoding files as its config does.

    The workdir's `serving/models.config` then lists it. Another format than a SavedModel goes to
    `<stage>/<format>/<version>/` instead.

    Args:
      workdir: with its config.
      name: the stage.
      index: `exact` or `scann`; None: as `retrieval.index` of the config says.
      gallery_dtype: `float32` or `float16`.
      models_root: absolute path at which a server sees the workdir.
      form: one of `convert.FORMATS`.

    Raises:
      UserError: the stage is not finished, its files are damaged, the index cannot be had, or what converts is not
        installed.
    """
    convert.check(form)
    if name != "translation":
        _rebuild_gallery(workdir)
    model = finished.load(workdir, name)
    arguments = (
        finished.load_gallery(workdir) if model.retrieval is not None and model.gallery is None else None,
        index if model.retrieval is not None else None,
        crop_share(workdir.config.data),
        gallery_dtype,
    )
    origin = finished.fingerprint(workdir, name)
    if form != "savedmodel":
        with tempfile.TemporaryDirectory() as folder:
            saved_model = export(model, folder, *arguments, origin=origin)
            return convert.convert(saved_model, workdir.stage(name) / form, form)
    final = export(model, workdir.stage(name) / "export", *arguments, origin=origin)
    known = finished.likeness_of(workdir) if name != "translation" else None
    if known is not None:
        known.save(final / "assets.extra" / FILE)
    server_config.write(workdir, models_root)
    return final


def export_shards(
    workdir: Workdir, galleries: Sequence[str | os.PathLike], index: str | None = None, gallery_dtype: str = "float32"
) -> Iterator[pathlib.Path]:
    """Exports the retrieval stage once for each shard of a gallery, for a server each; one shard is held at a time.

    They go to `retrieval/shards/<shard>/<version>/`; see `sharded.shard_name`.

    Args:
      workdir: with its config.
      galleries: galleries, or folders of them; see `sharded.shard_folders`.
      index: as for `export_stage`; None: the shards' own.
      gallery_dtype: likewise.

    Yields:
      The version folder of each.

    Raises:
      UserError: as `finished.load_shards`.
    """
    folders = shard_folders(galleries)
    for folder in folders:
        finished.check_made_by(workdir, folder)
    model, origin = finished.load(workdir, "retrieval"), finished.fingerprint(workdir, "retrieval")
    share = crop_share(workdir.config.data)
    for number, folder in enumerate(folders):
        shard = Gallery.load(folder, index, keep_images=False)
        directory = workdir.stage("retrieval") / "shards" / shard_name(number, len(folders))
        yield export(model, directory, shard, None, share, gallery_dtype, origin=origin)


def is_current(workdir: Workdir, name: str) -> bool:
    """Whether the newest export of a finished stage is of the weights that the stage has now."""
    version = newest_version(workdir.stage(name) / "export")
    if not version:
        return False
    facts = workdir.stage(name) / "export" / str(version) / "assets.extra" / "rgunit.json"
    weights = workdir.stage(name) / "final" / "weights.index"
    try:
        origin = json.loads(facts.read_text(encoding="utf-8")).get("origin")
        # Exports of earlier versions do not say what they are of.
        return (
            origin == finished.fingerprint(workdir, name)
            if origin
            else facts.stat().st_mtime >= weights.stat().st_mtime
        )
    except (OSError, ValueError):
        return False


def _rebuild_gallery(workdir: Workdir) -> None:
    """Builds the workdir's gallery where it was deleted."""
    if not (workdir.stage("retrieval") / "gallery").exists():
        finished.gallery_of(workdir, finished.load_dataset(workdir))
