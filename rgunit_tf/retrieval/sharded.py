"""A gallery in several parts, each with an index of its own, searched side by side as if it were one."""

from __future__ import annotations

import itertools
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import gallery_files
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.retrieval.ids import check_unique
from rgunit_tf.retrieval.index import check_count, checked_queries
from rgunit_tf.retrieval.indexes import make_index
from rgunit_tf.retrieval.random_rows import random_rows


class ShardedGallery(tf.Module):
    """Galleries, the *shards*, that are searched as one.

    A row is a position in all of them: those of the first shard come first, then those of the second, and so on. Each
    shard finds its k nearest; of these the k nearest are taken, and of equal distances the lower row, which is that of
    the earlier shard. So shards with exact indexes find what one exact index over all of them would, to the bit; with
    ScaNN's, each shard searches leaves of its own.

    Args:
      shards: one or more, of one dimension, all with images of one size or all without.

    Raises:
      UserError: shards that do not fit together, or an id that is in two of them.
    """

    def __init__(self, shards: Sequence[Gallery], name: str | None = "sharded_gallery"):
        super().__init__(name=name)
        self.shards = list(shards)
        if not self.shards:
            raise UserError("gallery: no shards; give one folder or more")
        _check_fit("embeddings of {} dimensions", [shard.embeddings.shape[1] for shard in self.shards])
        shapes = [
            tuple(shard.images(np.zeros(0, np.int32)).shape[1:]) if shard.has_images else None for shard in self.shards
        ]
        _check_fit("images of shape {}", shapes)
        self.ids = np.concatenate([shard.ids for shard in self.shards])
        check_unique(self.ids)
        self._first = np.cumsum([0, *(shard.size for shard in self.shards)]).astype(np.int32)
        # In a graph the shards wait for nothing of each other.
        self._search = tf.function(self._search_all, reduce_retracing=True, autograph=False)

    @classmethod
    def load(
        cls,
        folders: str | os.PathLike | Sequence[str | os.PathLike],
        index: str | None = None,
        keep_images: bool | str = True,
    ) -> ShardedGallery:
        """Reads galleries, or folders of galleries, in the order given; see `Gallery.load` and `shard_folders`."""
        return cls([Gallery.load(folder, index, keep_images) for folder in shard_folders(folders)])

    @classmethod
    def split(cls, gallery: Gallery, count: int) -> ShardedGallery:
        """The same images in `count` shards of equal size, within one; indexes of the same kind are built for each.

        Raises:
          UserError: fewer than one shard, or more than images.
        """
        if not 1 <= count <= gallery.size:
            raise UserError(f"shards={count} must be from 1 to {gallery.size}, the images of the gallery")
        edges = [number * gallery.size // count for number in range(count + 1)]
        embeddings, shards = gallery.embeddings.numpy(), []
        for start, stop in itertools.pairwise(edges):
            index = make_index(gallery.index.kind, embeddings[start:stop], **gallery.index.options())
            images = gallery.images(np.arange(start, stop)).numpy() if gallery.has_images else None
            shards.append(Gallery(index, gallery.ids[start:stop], images, gallery.metadata))
        return cls(shards)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes each shard to a folder of its own within `folder`, named by `shard_name`.

        Raises:
          UserError: one exists.
        """
        for number, shard in enumerate(self.shards):
            shard.save(pathlib.Path(folder) / shard_name(number, len(self.shards)))

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"<ShardedGallery of {self.size} images in {len(self.shards)} shards>"

    @property
    def size(self) -> int:
        """Number of images."""
        return int(self._first[-1])

    @property
    def has_images(self) -> bool:
        """Whether the images are held too."""
        return self.shards[0].has_images

    def search(
        self, queries: tf.Tensor, k: int | tf.Tensor, exclude_ids: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The k nearest images of each query, nearest first: (ids, distances); as `Gallery.search`."""
        exclude_rows = None if exclude_ids is None else self.rows_of(exclude_ids)
        distances, rows = self.search_rows(queries, k, exclude_rows)
        return self.ids_at(rows), distances

    def search_rows(
        self, queries: tf.Tensor, k: int | tf.Tensor, exclude_rows: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `search`, by rows: (distances, rows); as `Gallery.search_rows`."""
        static_k, queries = tf.get_static_value(k), checked_queries(queries, self.shards[0].index.dimension)
        excluded = exclude_rows is not None
        what = "images of the gallery" + (" without the query's own" if excluded else "")
        k = check_count(k, self.size - excluded, what)
        exclude_rows = tf.cast(exclude_rows, tf.int32) if excluded else tf.fill(tf.shape(queries)[:1], -1)
        distances, rows = self._search(queries, k, exclude_rows, k + int(excluded))
        for result in (distances, rows):
            result.set_shape([queries.shape[0], static_k])
        return distances, rows

    def _search_all(
        self, queries: tf.Tensor, k: tf.Tensor, exclude_rows: tf.Tensor, wanted: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Of each shard the `wanted` nearest, as far as it has so many; of these the k nearest but for the excluded."""
        found = [shard.search_rows(queries, tf.minimum(wanted, shard.size)) for shard in self.shards]
        distances = tf.concat([part for part, _ in found], 1)
        rows = tf.concat([part + first for (_, part), first in zip(found, self._first, strict=False)], 1)
        distances = tf.where(rows == exclude_rows[:, tf.newaxis], np.inf, distances)
        # Of equals top_k takes the one that stands first, which is of the earlier shard, or of the lower row in it.
        negated, order = tf.math.top_k(-distances, k)
        return -negated, tf.gather(rows, order, batch_dims=1)

    def random_rows(self, seeds: tf.Tensor, k: int, exclude_rows: tf.Tensor | None = None) -> tf.Tensor:
        """Distinct random rows for each of a batch of seeds [B, 2]: int32 [B, k]; see `random_rows.random_rows`."""
        return random_rows(self.size, seeds, k, exclude_rows)

    def rows_of(self, ids: tf.Tensor) -> tf.Tensor:
        """Rows of images by id: int32 of the shape of `ids`, -1 where no shard holds it."""
        rows = tf.fill(tf.shape(ids), -1)
        for shard, first in zip(self.shards, self._first, strict=False):
            found = shard.rows_of(ids)
            rows = tf.where(found >= 0, found + first, rows)
        return rows

    def ids_at(self, rows: tf.Tensor) -> tf.Tensor:
        """Ids of images by row: string of the shape of `rows`."""
        return self._look_up(rows, lambda shard, rows: shard.ids_at(rows))

    def images(self, rows: tf.Tensor) -> tf.Tensor:
        """Images by row: uint8, the shape of `rows` with [H, W, 3] added; as `Gallery.images`."""
        return self._look_up(rows, lambda shard, rows: shard.images(rows))

    def _look_up(self, rows: tf.Tensor, of: Callable[[Gallery, tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """What `of(shard, rows of the shard)` gives for each of `rows`, asking each shard for its own alone."""
        rows = tf.convert_to_tensor(rows, tf.int32)
        flat, count = tf.reshape(rows, [-1]), len(self.shards)
        shard = tf.searchsorted(self._first[1:], flat, side="right")
        places = tf.dynamic_partition(tf.range(tf.size(flat)), shard, count)
        parts = tf.dynamic_partition(flat - tf.gather(self._first, shard), shard, count)
        found = tf.dynamic_stitch(places, [of(*pair) for pair in zip(self.shards, parts, strict=True)])
        return tf.reshape(found, [*_sizes(rows), *found.shape[1:]])


def shard_name(number: int, count: int) -> str:
    """Name of a shard's folder, by which shards sort: `00002-of-00016`."""
    return f"{number:05d}-of-{count:05d}"


def shard_folders(folders: str | os.PathLike | Sequence[str | os.PathLike]) -> list[pathlib.Path]:
    """The galleries that folders are, or hold, in the order given and, within a folder, by name.

    Raises:
      UserError: a folder that neither is nor holds a gallery, or whose names say that a shard is missing.
    """
    given = [folders] if isinstance(folders, str | os.PathLike) else folders
    return [shard for folder in given for shard in _shards_in(pathlib.Path(folder).expanduser())]


def _shards_in(folder: pathlib.Path) -> list[pathlib.Path]:
    if gallery_files.is_gallery(folder):
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{gallery_files.MANIFEST}"))
    if not found:
        raise UserError(f"{folder}: neither a gallery nor a folder of galleries; name one, or build it")
    counts = {count for path in found if (count := path.name.rpartition("-of-")[2]) != path.name and count.isdigit()}
    for count in map(int, counts):
        missing = [name for number in range(count) if not (folder / (name := shard_name(number, count))).is_dir()]
        if missing:
            raise UserError(
                f"{folder}: {len(missing)} of {count} shards are missing, such as {missing[0]}; write them first"
            )
    return found


def _sizes(rows: tf.Tensor) -> list[int | tf.Tensor]:
    """Sizes of the dimensions, as numbers where they are known."""
    known, sizes = rows.shape, tf.shape(rows)
    return [sizes[axis] if size is None else size for axis, size in enumerate(known)]


def _check_fit(what: str, values: Sequence[object]) -> None:
    """Checks that all shards have the same."""
    for number, value in enumerate(values):
        if value != values[0]:
            said = f"{what.format(value)}, that of shard 0 {what.format(values[0])}"
            raise UserError(f"gallery: shard {number} has {said}; shards are made by one model, with images or without")
