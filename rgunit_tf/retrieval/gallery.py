"""The retrieval set that a guided model looks things up in: embeddings under an index, ids and images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.names import to_tensor
from rgunit_tf.retrieval.array_file import variable_of
from rgunit_tf.retrieval.embedding import embedded
from rgunit_tf.retrieval.index import Index, check_count, make_index
from rgunit_tf.retrieval.random_rows import random_rows

if TYPE_CHECKING:
    from rgunit_tf.data import Split


class Gallery(tf.Module):
    """Images that can be retrieved, each with an id, by the nearness of their embeddings.

    Everything that `search`, `rows_of` and `images` need is in variables and tables that a SavedModel carries; they
    work eagerly, in a `tf.function`, in `tf.data` and in every replica. A *row* is a position in the gallery.

    Create it outside of a distribution strategy's scope: its variables never change and need no copy per replica.
    `add` and `remove` give another gallery.

    Images of a memory map (`np.memmap`) stay in their file, from which Python reads those that are asked for. All works
    as with images in memory, except that a SavedModel which looks images up has to be made from those in memory.

    Args:
      index: holds the embeddings, [N, D].
      ids: N different names.
      images: uint8 [N, H, W, 3], or None where only ids are wanted.
      metadata: kept with the saved gallery, such as which model made the embeddings; JSON-ready.

    Raises:
      UserError: an id occurs twice, or ids or images are not as many as the embeddings.
    """

    def __init__(
        self,
        index: Index,
        ids: Iterable[str],
        images: np.ndarray | np.memmap | tf.Variable | None = None,
        metadata: Mapping[str, Any] | None = None,
        name: str | None = "gallery",
    ):
        super().__init__(name=name)
        self.index = index
        self.ids = np.asarray(ids, dtype=np.str_)
        self.metadata = dict(metadata or {})
        if self.ids.shape != (index.size,):
            raise UserError(
                f"gallery: {index.size} embeddings, but ids of shape {self.ids.shape}; give one id an image"
            )
        if images is not None and (images.dtype != "uint8" or images.shape[0] != index.size or len(images.shape) != 4):
            raise UserError(
                f"gallery: images must be uint8 of shape [{index.size}, height, width, 3], not {images.dtype} of "
                f"shape {list(images.shape)}"
            )
        check_unique(self.ids)
        # Strings have no place but the CPU, and a large set of images none but its memory.
        with tf.device("/CPU:0"):
            keys = to_tensor(self.ids)
            self._ids = tf.Variable(keys, trainable=False, name="ids")
            self._table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(keys, tf.range(index.size)), default_value=-1
            )
            shared = images is None or isinstance(images, tf.Variable | np.memmap)
            self._images = images if shared else variable_of(images, "images")

    @classmethod
    def from_embeddings(
        cls,
        embeddings: Any,
        ids: Iterable[str],
        images: np.ndarray | None = None,
        index: str = "exact",
        **index_options: Any,
    ) -> Gallery:
        """A gallery of given embeddings, float [N, D]; the rest as for the class and for `make_index`."""
        return cls(make_index(index, embeddings, **index_options), ids, images)

    @classmethod
    def build(
        cls,
        retrieval: Any,
        data: Split | Iterable[Mapping[str, Any]],
        index: str = "exact",
        keep_images: bool = True,
        batch_size: int = 64,
        folder: str | os.PathLike | None = None,
        **index_options: Any,
    ) -> Gallery:
        """Embeds a set of images, labelled or not, and indexes them.

        Args:
          retrieval: what has `embed_images(images float32 [B, H, W, 3] in [-1, 1]) -> float32 [B, D]`, such as a
            `RetrievalModel`.
          data: a `Split`, or batches: mappings with "image" (float32 in [-1, 1], or uint8) and "id" (string [B]).
          index: "exact" or "scann".
          keep_images: hold the images too, as a guided model needs them.
          batch_size: images embedded at a time, where `data` is a `Split`.
          folder: a new folder to which all is written batch by batch, as `save` would, so that the images need not fit
            into memory; the gallery then is the folder's, its images in their file. It appears whole or not at all.
          **index_options: passed to the index.

        Raises:
          UserError: no images, an id twice, an embedding that is not finite, or an index that cannot be had.
        """
        batches = data.batches(batch_size, training=False) if hasattr(data, "batches") else data
        parts = embedded(retrieval, batches, keep_images)
        if folder is not None:
            from rgunit_tf.retrieval import gallery_files

            gallery_files.write(folder, parts, index, **index_options)
            return gallery_files.load(folder, keep_images="mapped" if keep_images else False)
        embeddings, ids, images = zip(*parts, strict=True) if (parts := list(parts)) else ((), (), ())
        if not ids:
            raise UserError("gallery: the retrieval set holds no image; check config.data.retrieval_source")
        return cls.from_embeddings(
            np.concatenate(embeddings),
            [name for names in ids for name in names],
            np.concatenate(images) if keep_images else None,
            index,
            **index_options,
        )

    def add(
        self,
        ids: Iterable[str],
        images: np.ndarray | None = None,
        embeddings: np.ndarray | None = None,
        retrieval: Any = None,
    ) -> Gallery:
        """The gallery with further images behind its own; the index is built again, by its rule for the new size.

        Args:
          ids: M names that the gallery does not hold.
          images: uint8 [M, H, W, 3]; needed where the gallery holds images.
          embeddings: float [M, D]; None: those that `retrieval` makes of the images.
          retrieval: the model that made the other embeddings; see `build`.

        Returns:
          Another gallery; rows and ids of this one are the same in it. Its images are in memory.

        Raises:
          UserError: an id is held already or occurs twice, something is missing, or numbers or shapes do not fit.
        """
        ids = list(ids)
        if self.has_images and images is None:
            raise UserError("gallery: it holds images; give those of the added ids too")
        if embeddings is None:
            if images is None or retrieval is None:
                raise UserError("gallery: give embeddings, or images and the retrieval model that embeds them")
            starts = range(0, len(ids), 64)
            batches = [{"image": images[i : i + 64], "id": np.asarray(ids[i : i + 64], object)} for i in starts]
            embeddings = np.concatenate([part[0] for part in embedded(retrieval, batches, keep_images=False)])
        embeddings = np.asarray(embeddings, np.float32)
        if embeddings.shape != (len(ids), self.index.dimension):
            raise UserError(
                f"gallery: {len(ids)} ids, but embeddings of shape {embeddings.shape}; {self.index.dimension} "
                "dimensions are needed, of one row an id"
            )
        kept = images if self.has_images else None
        if kept is not None and (len(kept) != len(ids) or kept.shape[1:] != self._images.shape[1:]):
            raise UserError(
                f"gallery: images of shape {list(kept.shape)}; {[len(ids), *self._images.shape[1:]]} are needed"
            )
        return self._changed(
            np.concatenate([self.embeddings.numpy(), embeddings]),
            [*self.ids.tolist(), *ids],
            None if kept is None else np.concatenate([self._pixels(), kept]),
        )

    def remove(self, ids: Iterable[str]) -> Gallery:
        """The gallery without some images; the others keep their order, the index is built again.

        Raises:
          UserError: an id that the gallery does not hold, or none would be left.
        """
        ids = np.asarray(list(ids), np.str_)
        unknown = ids[~np.isin(ids, self.ids)]
        if len(unknown):
            raise UserError(f"gallery: it holds no image {str(unknown[0])!r}; {len(unknown)} of the ids are unknown")
        kept = ~np.isin(self.ids, ids)
        images = self._pixels()[kept] if self.has_images else None
        return self._changed(self.embeddings.numpy()[kept], self.ids[kept], images)

    def _changed(self, embeddings: np.ndarray, ids: Iterable[str], images: np.ndarray | None) -> Gallery:
        index = make_index(self.index.kind, embeddings, **self.index.options())
        return Gallery(index, ids, images, self.metadata)

    def _pixels(self) -> np.ndarray:
        return self._images.numpy() if isinstance(self._images, tf.Variable) else np.asarray(self._images)

    def with_index(self, index: str, **index_options: Any) -> Gallery:
        """The same gallery under another index; ids and images are shared, not copied."""
        return Gallery(
            make_index(index, self.embeddings.numpy(), **index_options), self.ids, self._images, self.metadata
        )

    @property
    def size(self) -> int:
        """Number of images."""
        return self.index.size

    @property
    def embeddings(self) -> tf.Variable:
        """Embeddings by row, float32 [N, D]."""
        return self.index.embeddings

    @property
    def has_images(self) -> bool:
        """Whether the images are held too."""
        return self._images is not None

    def search(
        self, queries: tf.Tensor, k: int | tf.Tensor, exclude_ids: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The k nearest images of each query, nearest first.

        Args:
          queries: float32 [B, D].
          k: how many; a number or an integer scalar tensor.
          exclude_ids: string [B], the image that query b must not find, usually its own; "" or any id that the
            gallery does not hold excludes nothing.

        Returns:
          (ids, distances): string [B, k]; float32 [B, k], Euclidean.

        Raises:
          As `search_rows`.
        """
        exclude_rows = None if exclude_ids is None else self.rows_of(exclude_ids)
        distances, rows = self.search_rows(queries, k, exclude_rows)
        return self.ids_at(rows), distances

    def search_rows(
        self, queries: tf.Tensor, k: int | tf.Tensor, exclude_rows: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `search`, by rows.

        Args:
          queries: float32 [B, D].
          k: how many: to N, or to N - 1 where rows are excluded.
          exclude_rows: int32 [B], the row that query b must not find; -1 for none.

        Returns:
          (distances, rows): float32 [B, k], Euclidean; int32 [B, k].

        Raises:
          UserError: `k` is known and out of range, or the queries have another dimension.
          tf.errors.InvalidArgumentError: `k` turns out of range when the graph runs.
        """
        if exclude_rows is None:
            return self.index.search(queries, check_count(k, self.size, "images of the gallery"))
        static_k = tf.get_static_value(k)
        k = check_count(k, self.size - 1, "images of the gallery without the query's own")
        distances, rows = self.index.search(queries, k + 1)
        # One more than wanted was found: take out the excluded one, or the last where it is not among them.
        places = tf.range(k)[tf.newaxis]
        excluded = tf.cast(exclude_rows, tf.int32)[:, tf.newaxis]
        before = tf.cumsum(tf.cast(rows == excluded, tf.int32), axis=1)[:, :-1]
        columns = places + before
        distances, rows = (tf.gather(found, columns, batch_dims=1) for found in (distances, rows))
        for result in (distances, rows):
            result.set_shape([result.shape[0], static_k])
        return distances, rows

    def random_rows(self, seeds: tf.Tensor, k: int, exclude_rows: tf.Tensor | None = None) -> tf.Tensor:
        """Distinct random rows for each of a batch of seeds [B, 2]: int32 [B, k]; see `random_rows.random_rows`."""
        return random_rows(self.size, seeds, k, exclude_rows)

    def rows_of(self, ids: tf.Tensor) -> tf.Tensor:
        """Rows of images by id: int32 of the shape of `ids`, -1 where the gallery does not hold it."""
        return self._table.lookup(tf.convert_to_tensor(ids, tf.string))

    def ids_at(self, rows: tf.Tensor) -> tf.Tensor:
        """Ids of images by row: string of the shape of `rows`."""
        return tf.gather(self._ids, rows)

    def images(self, rows: tf.Tensor) -> tf.Tensor:
        """Images by row: uint8, the shape of `rows` with [H, W, 3] added.

        Raises:
          UserError: the gallery was built or loaded without its images.
        """
        if self._images is None:
            raise UserError("gallery: it holds no images; build or load it with keep_images=True")
        if isinstance(self._images, tf.Variable):
            return tf.gather(self._images, rows)
        rows = tf.convert_to_tensor(rows)
        images = tf.numpy_function(lambda rows: self._images[rows], [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(images, rows.shape.concatenate(self._images.shape[1:]))

    def save(self, folder: str | os.PathLike) -> None:
        """Writes the gallery to a new folder, whole or not at all; see `gallery_files`."""
        from rgunit_tf.retrieval import gallery_files

        gallery_files.save(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike, index: str | None = None, keep_images: bool | str = True) -> Gallery:
        """Reads what `save` wrote, images into memory, or with keep_images="mapped" not; see `gallery_files.load`."""
        from rgunit_tf.retrieval import gallery_files

        return gallery_files.load(folder, index, keep_images)


def check_unique(ids: np.ndarray) -> None:
    """Checks that the ids, [N], differ.

    Raises:
      UserError: one occurs twice.
    """
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        twice = values[counts > 1]
        raise UserError(f"gallery: {len(twice)} ids occur more than once, such as {twice[0]!r}; ids must differ")
