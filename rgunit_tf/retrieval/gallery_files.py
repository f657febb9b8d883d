"""A saved gallery: a folder of plain arrays, the ids as JSON, and a manifest with the checksum of each file.

    manifest.json     format version, counts, the index, sha256 of the other files; written last
    ids.json          list of strings, in row order
    embeddings.npy    float32 [N, D]
    images.npy        uint8 [N, H, W, 3], where images are kept
    index_*.npy       what the index needs beside the embeddings, so that it is not built again

Nothing in it is executed when it is read: arrays are read without pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from typing import Any

import numpy as np
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.retrieval.index import make_index

FORMAT_VERSION = 1
_MANIFEST = "manifest.json"


def save(gallery: Gallery, folder: str | os.PathLike) -> None:
    """Writes `gallery` to `folder`, which must not exist.

    Raises:
      UserError: the folder exists.
    """
    folder = pathlib.Path(folder)
    if folder.exists():
        raise UserError(f"{folder}: exists already; delete it to save another gallery there")
    arrays = {"embeddings.npy": gallery.embeddings.numpy()}
    if gallery.has_images:
        arrays["images.npy"] = gallery.images(np.arange(gallery.size)).numpy()
    arrays.update({f"index_{name}.npy": value for name, value in gallery.index.arrays().items()})
    with atomic.directory(folder) as temporary:
        for name, value in arrays.items():
            np.save(temporary / name, value, allow_pickle=False)
        (temporary / "ids.json").write_text(json.dumps(gallery.ids.tolist()), encoding="utf-8")
        manifest = {
            "format_version": FORMAT_VERSION,
            "count": gallery.size,
            "embedding_dim": gallery.index.dimension,
            "index": {
                "kind": gallery.index.kind,
                "options": gallery.index.options(),
                "made_by": _index_maker(gallery.index.kind),
            },
            "metadata": gallery.metadata,
            "sha256": {name: _sha256(temporary / name) for name in ["ids.json", *arrays]},
        }
        atomic.write_json(temporary / _MANIFEST, manifest)


def load(folder: str | os.PathLike, index: str | None = None, keep_images: bool = True) -> Gallery:
    """Reads a gallery that `save` wrote.

    Args:
      folder: the folder.
      index: None for the index it was saved with; another kind is built from the embeddings.
      keep_images: load the images too, where there are any.

    Raises:
      UserError: the folder or a file of it is missing, damaged or of a later format; the message names it.
    """
    folder = pathlib.Path(folder)
    manifest = _read_manifest(folder)
    names = [name for name in manifest["sha256"] if keep_images or name != "images.npy"]
    for name in names:
        if not (folder / name).is_file():
            raise _damaged(folder, name, "is missing")
        if _sha256(folder / name) != manifest["sha256"][name]:
            raise _damaged(folder, name, "does not have the checksum that its manifest states")
    arrays = {name: _read_array(folder, name) for name in names if name.endswith(".npy")}
    ids = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
    embeddings = arrays.pop("embeddings.npy")
    images = arrays.pop("images.npy", None)
    if embeddings.shape != (manifest["count"], manifest["embedding_dim"]) or len(ids) != manifest["count"]:
        raise _damaged(folder, _MANIFEST, "states other counts than its files have")
    saved = manifest["index"]
    kind = index or saved["kind"]
    options: dict[str, Any] = saved["options"] if kind == saved["kind"] else {}
    if kind == saved["kind"] and arrays and saved["made_by"] == _index_maker(kind):
        state = {name.removeprefix("index_").removesuffix(".npy"): value for name, value in arrays.items()}
        options = {**options, "arrays": state}
    elif kind != "exact":
        logging.info("%s: building the %s index", folder, kind)
    return Gallery(make_index(kind, embeddings, **options), ids, images, manifest["metadata"])


def _index_maker(kind: str) -> str:
    """What made the index's arrays; arrays that another version made are not read."""
    if kind != "scann":
        return ""
    from rgunit_tf.retrieval import scann_index

    scann_index.scann_ops()
    return f"scann {scann_index.builder_version()}"


def _read_manifest(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise UserError(f"{path}: there is no gallery in this folder; build it, or name the folder of one")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, _MANIFEST, "cannot be read") from error
    if version != FORMAT_VERSION:
        raise _damaged(folder, _MANIFEST, f"has format version {version}, this program reads {FORMAT_VERSION}")
    missing = {"count", "embedding_dim", "index", "metadata", "sha256"} - set(manifest)
    if not missing:
        missing = {"ids.json", "embeddings.npy"} - set(manifest["sha256"])
    if missing:
        raise _damaged(folder, _MANIFEST, f"lacks {', '.join(sorted(missing))}")
    return manifest


def _read_array(folder: pathlib.Path, name: str) -> np.ndarray:
    try:
        return np.load(folder / name, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise _damaged(folder, name, "is not an array") from error


def _sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _damaged(folder: pathlib.Path, name: str, what: str) -> UserError:
    return UserError(f"{folder / name} {what}; delete the folder {folder}: it is rebuilt")
