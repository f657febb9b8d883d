"""What a trained model is, read from the small files beside its weights: nothing is loaded, TensorFlow least of all."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from rgunit_tf.config import STAGES
from rgunit_tf.data.crop import crop_share
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.runs.workdir import Workdir

_EXPORT_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Description:
    """A model that can be loaded.

    Attributes:
      path: the workdir, or the version folder of an export.
      kind: `workdir` or `export`.
      stage: `translation`, `retrieval` or `guided`.
      schema: the K domain attributes.
      image_size: side of the images, pixels.
      style_dim: S, all attributes' blocks together.
      crop_share: side of the centre crop as a share of a picture's shorter side, as in training.
      neighbors: how many retrieved images guide a translation; 0 where none do.
      gallery: whether there are images to retrieve.
      fingerprint: hash that changes with the weights.
      galleries: what is searched in the place of a run's own gallery: galleries, or folders of them.
    """

    path: pathlib.Path
    kind: str
    stage: str
    schema: AttributeSchema
    image_size: int
    style_dim: int
    crop_share: float
    neighbors: int
    gallery: bool
    fingerprint: str
    galleries: tuple[str, ...] = ()

    @property
    def translates(self) -> bool:
        """Whether it can translate: everything but an export of the retrieval stage."""
        return self.kind == "workdir" or self.stage != "retrieval"

    def __str__(self) -> str:
        return f"{self.stage} stage of {self.path}" if self.kind == "workdir" else f"export {self.path}"


def describe(path: str | os.PathLike, purpose: str | None = None) -> Description:
    """Finds the model that a path means.

    Args:
      path: a workdir (its stage that suits `purpose`), a stage's folder in one, an export's version folder, or the
        folder of the versions (the newest).
      purpose: `translate`: the guided stage where it is finished, else the translation stage; `retrieve`: the
        retrieval stage, which retrieves as the guided one does; None: the stage that was finished last.

    Raises:
      UserError: there is no model, it is damaged, or it is of a later version of the package.
    """
    path = pathlib.Path(path).expanduser()
    if not path.is_dir():
        raise UserError(f"--model={path}: no such folder; give a run's folder or an export")
    version = _version_folder(path)
    if version is not None:
        return _of_export(version)
    if (path / "final" / "stage.json").exists() and path.name in STAGES:
        return _of_workdir(path.parent, path.name)
    if (path / "config.json").exists():
        return _of_workdir(path, _stage_for(path, purpose))
    raise UserError(
        f"--model={path}: neither a run (config.json) nor an export (<version>/saved_model.pb); name one of these"
    )


def with_galleries(description: Description, galleries: Sequence[str]) -> Description:
    """The same model, which is to search other galleries than its own; none: its own.

    Raises:
      UserError: an export, whose gallery is part of it, or a stage that cannot search.
    """
    if not galleries:
        return description
    if description.kind == "export":
        raise UserError("--gallery: an export has its own gallery inside; give the run's folder as --model")
    if description.stage == "translation":
        raise UserError(f"--gallery: the {description} cannot search; train the retrieval stage")
    return dataclasses.replace(description, gallery=True, galleries=tuple(galleries))


def _version_folder(path: pathlib.Path) -> pathlib.Path | None:
    if (path / "saved_model.pb").exists():
        return path
    versions = [entry for entry in path.iterdir() if entry.name.isdigit() and (entry / "saved_model.pb").exists()]
    return max(versions, key=lambda entry: int(entry.name), default=None)


def _stage_for(path: pathlib.Path, purpose: str | None) -> str:
    finished = Workdir(path).finished_stages()
    wanted = {"translate": ("guided", "translation"), "retrieve": ("retrieval",)}.get(purpose, STAGES[::-1])
    for stage in wanted:
        if stage in finished:
            return stage
    raise UserError(f"--model={path}: the {wanted[-1]} stage is not finished; run bin/train --stage={wanted[-1]}")


def _of_export(folder: pathlib.Path) -> Description:
    facts = _read_json(folder / "assets.extra" / "rgunit.json")
    if facts.get("format") != _EXPORT_FORMAT:
        raise UserError(
            f"--model={folder}: its rgunit.json has format {facts.get('format')}; this version reads {_EXPORT_FORMAT}"
        )
    try:
        return Description(
            path=folder,
            kind="export",
            stage=facts["stage"],
            schema=AttributeSchema.from_dict(facts["schema"]),
            image_size=facts["image_size"],
            style_dim=facts["style_dim"],
            crop_share=facts["crop_share"],
            neighbors=facts["neighbors"],
            gallery=facts["gallery"] is not None,
            fingerprint=_hash_of([folder / "saved_model.pb", folder / "variables" / "variables.index"]),
        )
    except (KeyError, TypeError) as error:
        raise UserError(f"--model={folder}: its rgunit.json is damaged ({error}); export the model again") from None


def _of_workdir(path: pathlib.Path, stage: str) -> Description:
    workdir = Workdir(path)
    # Each stage holds on to the ones before it.
    parts = STAGES[: STAGES.index(stage) + 1]
    facts = {name: _read_json(workdir.stage(name) / "final" / "stage.json") for name in parts}
    files = [workdir.stage(name) / "final" / file for name in parts for file in ("stage.json", "weights.index")]
    manifest = workdir.stage("retrieval") / "gallery" / "manifest.json"
    gallery = stage != "translation" and manifest.exists()
    try:
        model = facts["translation"]["model"]
        schema = AttributeSchema.from_dict(model["schema"])
        return Description(
            path=path,
            kind="workdir",
            stage=stage,
            schema=schema,
            image_size=model["image_size"],
            style_dim=schema.size * model["style_dim"],
            crop_share=crop_share(workdir.config.data),
            neighbors=facts["guided"]["model"]["neighbors"] if stage == "guided" else 0,
            gallery=gallery,
            fingerprint=_hash_of([*files, manifest] if gallery else files),
        )
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path}: the stage.json of a stage is damaged ({error}); delete its final/ and run bin/train again"
        ) from None


def _read_json(file: pathlib.Path) -> dict[str, Any]:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file} is missing; restore it, or name another model") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        facts = None
    if not isinstance(facts, dict):
        raise UserError(f"{file} is damaged; restore it, or train or export the model again")
    return facts


def _hash_of(files: list[pathlib.Path]) -> str:
    """Of small files: the index of a checkpoint holds a checksum of each of its tensors."""
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}; train or export the model again") from None
    return digest.hexdigest()[:16]
