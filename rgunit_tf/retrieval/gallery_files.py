"""A saved gallery: a folder of plain arrays, the ids as JSON, and a manifest with the checksum of each file.

    manifest.json     format version, counts, the index, sha256 of the other files; written last
    ids.json          list of strings, in row order
    embeddings.npy    float32 [N, D]
    images.npy        uint8 [N, H, W, 3], where images are kept
    index_*.npy       what the index needs beside the embeddings, so that it is not built again

Arrays are written as their rows come and read through memory maps, so that neither takes the memory of the images.
Nothing in the folder is executed when it is read: arrays are read without pickle.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.array_file import array_writer
from rgunit_tf.retrieval.ids import check_unique
from rgunit_tf.retrieval.index import Index, checked_embeddings
from rgunit_tf.retrieval.indexes import make_index

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
# Embeddings [n, D], ids, and images uint8 [n, H, W, 3] or None.
Part = tuple[np.ndarray, list[str], np.ndarray | None]


class Stored(NamedTuple):
    """What a folder holds; arrays are read through memory maps.

    Attributes:
      embeddings: float32 [N, D].
      ids: N names.
      images: uint8 [N, H, W, 3], or None.
      metadata: JSON-ready.
      index: kind of the index, and the options to make it with.
    """

    embeddings: np.ndarray
    ids: list[str]
    images: np.ndarray | None
    metadata: dict[str, Any]
    index: tuple[str, dict[str, Any]]


def save(folder: str | os.PathLike, parts: Iterable[Part], index: Index, metadata: dict[str, Any]) -> None:
    """Writes a gallery whose index is made already to `folder`, which must not exist; `parts` as for `write`.

    Raises:
      UserError: the folder exists.
    """
    _write(folder, parts, index.kind, index.options(), lambda _: index.arrays(), metadata)


def is_gallery(folder: str | os.PathLike) -> bool:
    """Whether there is a gallery in the folder."""
    return (pathlib.Path(folder) / MANIFEST).is_file()


def write(
    folder: str | os.PathLike,
    parts: Iterable[Part],
    index: str,
    metadata: dict[str, Any] | None = None,
    **index_options: Any,
) -> None:
    """Writes a gallery from a stream, of which one part at a time is held.

    Args:
      folder: where; it must not exist.
      parts: embeddings float [n, D], n ids, and images uint8 [n, H, W, 3] or None; n as it comes.
      index: "exact" or "scann", which is built from the embeddings once they are written.
      metadata: kept with the gallery, JSON-ready.
      **index_options: passed to the index.

    Raises:
      UserError: the folder exists, there is no image, an id occurs twice, or an embedding is not finite.
    """

    def arrays_of(embeddings: np.ndarray) -> dict[str, np.ndarray]:
        if index == "exact":
            checked_embeddings(embeddings)
            return {}
        return make_index(index, embeddings, **index_options).arrays()

    _write(folder, parts, index, index_options, arrays_of, metadata or {})


def _write(
    folder: str | os.PathLike,
    parts: Iterable[Part],
    kind: str,
    options: dict[str, Any],
    arrays_of: Callable[[np.ndarray], dict[str, np.ndarray]],
    metadata: dict[str, Any],
) -> None:
    folder = pathlib.Path(folder)
    with _new_folder(folder) as temporary:
        ids: list[str] = []
        with contextlib.ExitStack() as stack:
            embeddings = stack.enter_context(array_writer(temporary / "embeddings.npy", "float32"))
            images = None
            for vectors, names, pictures in parts:
                embeddings.append(vectors)
                ids.extend(names)
                if pictures is not None:
                    images = images or stack.enter_context(array_writer(temporary / "images.npy", "uint8"))
                    images.append(pictures)
        if not ids:
            raise UserError("gallery: the retrieval set holds no image; check config.data.retrieval_source")
        check_unique(np.asarray(ids, np.str_))
        (temporary / "ids.json").write_text(json.dumps(ids), encoding="utf-8")
        vectors = np.load(temporary / "embeddings.npy", mmap_mode="r", allow_pickle=False)
        for name, value in arrays_of(vectors).items():
            np.save(temporary / f"index_{name}.npy", value, allow_pickle=False)
        manifest = {
            "format_version": FORMAT_VERSION,
            "count": len(ids),
            "embedding_dim": int(vectors.shape[1]),
            "index": {"kind": kind, "options": options, "made_by": _index_maker(kind)},
            "metadata": metadata,
            "sha256": {path.name: atomic.checksum(path) for path in sorted(temporary.iterdir())},
        }
        atomic.write_json(temporary / MANIFEST, manifest)


@contextlib.contextmanager
def _new_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder that becomes `folder` if the block succeeds; what killed calls have left beside it is removed."""
    if folder.exists():
        raise UserError(f"{folder}: exists already; delete it to save another gallery there")
    atomic.clear(stray.parent for stray in folder.parent.glob(".partial-*/embeddings.npy"))
    with atomic.directory(folder) as temporary:
        yield temporary


def read(folder: str | os.PathLike, index: str | None = None, keep_images: bool | str = True) -> Stored:
    """Reads a gallery that `save` or `write` wrote.

    Each file's checksum is verified.

    Args:
      folder: the folder.
      index: None for the index it was saved with; another kind is built from the embeddings.
      keep_images: True to give the images as an array, where there are any; "mapped" as the memory map of their file;
        False to leave them out.

    Raises:
      UserError: the folder or a file of it is missing, damaged or of a later format; the message names it.
    """
    folder = pathlib.Path(folder)
    manifest = read_facts(folder)
    names = [name for name in manifest["sha256"] if keep_images or name != "images.npy"]
    for name in names:
        if not (folder / name).is_file():
            raise _damaged(folder, name, "is missing")
        if atomic.checksum(folder / name) != manifest["sha256"][name]:
            raise _damaged(folder, name, "does not have the checksum that its manifest states")
    arrays = {name: _read_array(folder, name) for name in names if name.endswith(".npy")}
    ids = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
    embeddings = arrays.pop("embeddings.npy")
    images = arrays.pop("images.npy", None)
    if embeddings.shape != (manifest["count"], manifest["embedding_dim"]) or len(ids) != manifest["count"]:
        raise _damaged(folder, MANIFEST, "states other counts than its files have")
    if images is not None and keep_images != "mapped":
        images = images.view(np.ndarray)
    saved = manifest["index"]
    kind = index or saved["kind"]
    options: dict[str, Any] = saved["options"] if kind == saved["kind"] else {}
    if kind == saved["kind"] and arrays and saved["made_by"] == _index_maker(kind):
        state = {name.removeprefix("index_").removesuffix(".npy"): value for name, value in arrays.items()}
        options = {**options, "arrays": state}
    elif kind != "exact":
        logging.info("%s: building the %s index", folder, kind)
    return Stored(embeddings, ids, images, manifest["metadata"], (kind, options))


def _index_maker(kind: str) -> str:
    """What made the index's arrays; arrays that another version made are not read."""
    if kind != "scann":
        return ""
    from rgunit_tf.retrieval import scann_index

    scann_index.scann_ops()
    return f"scann {scann_index.builder_version()}"


def read_facts(folder: pathlib.Path) -> dict[str, Any]:
    """What the manifest in `folder` says; no other file is looked at.

    Raises:
      UserError: it is missing, damaged or of a later format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f"{path}: there is no gallery in this folder; build it, or name the folder of one")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, MANIFEST, "cannot be read") from error
    if version != FORMAT_VERSION:
        raise _damaged(folder, MANIFEST, f"has format version {version}, this program reads {FORMAT_VERSION}")
    missing = {"count", "embedding_dim", "index", "metadata", "sha256"} - set(manifest)
    if not missing:
        missing = {"ids.json", "embeddings.npy"} - set(manifest["sha256"])
    if missing:
        raise _damaged(folder, MANIFEST, f"lacks {', '.join(sorted(missing))}")
    return manifest


def _read_array(folder: pathlib.Path, name: str) -> np.ndarray:
    try:
        return np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise _damaged(folder, name, "is not an array") from error


def _damaged(folder: pathlib.Path, name: str, what: str) -> UserError:
    return UserError(f"{folder / name} {what}; delete the folder {folder}: it is built again")
