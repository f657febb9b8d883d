"""The retrieval set that a guided model looks things up in: embeddings under an index, ids and images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import changes, gallery_files
from rgunit_tf.retrieval.array_file import variable_of
from rgunit_tf.retrieval.embedding import embedded
from rgunit_tf.retrieval.ids import Ids
from rgunit_tf.retrieval.index import Index, check_count, search_without
from rgunit_tf.retrieval.indexes import make_index
from rgunit_tf.retrieval.random_rows import random_rows

if TYPE_CHECKING:
    from rgunit_tf.data import Split

_ROWS = 1024  # written at a time


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
            raise UserError(f"gallery: {index.size} embeddings, but {self.ids.shape} ids; give one id an image")
        if images is not None and (images.dtype != "uint8" or images.shape[0] != index.size or len(images.shape) != 4):
            raise UserError(
                f"gallery: images must be uint8 [{index.size}, H, W, 3], not {images.dtype} {list(images.shape)}"
            )
        self._ids = Ids(self.ids)
        # A large set of images has no place but the CPU's memory.
        with tf.device("/CPU:0"):
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
          data: a `Split`, or batches: mappings with "image" (float32 in [-1, 1], or uint8) and "id" (string [B]), or
            (image, label) pairs, images of 0 to 255, whose ids are their numbers.
          index: "exact" or "scann".
          keep_images: hold the images too, as a guided model needs them.
          batch_size: images embedded at a time, where `data` is a `Split`.
          folder: a new folder to which all is written batch by batch, as `save` would, so that the images need not fit
            into memory; the gallery then is the folder's, its images in their file. It appears whole or not at all.
          **index_options: passed to the index.

        Raises:
          UserError: no images, an id twice, an embedding not finite, or an index that cannot be had.
        """
        batches = data.batches(batch_size, training=False) if hasattr(data, "batches") else data
        parts = embedded(retrieval, batches, keep_images)
        if folder is not None:
            gallery_files.write(folder, parts, index, **index_options)
            return cls.load(folder, keep_images="mapped" if keep_images else False)
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
        return self._of(*changes.added(self._rows(), list(ids), images, embeddings, retrieval))

    def remove(self, ids: Iterable[str]) -> Gallery:
        """The gallery without some images; the others keep their order, the index is built again.

        Raises:
          UserError: an id that the gallery does not hold, or none would be left.
        """
        return self._of(*changes.removed(self._rows(), np.asarray(list(ids), np.str_)))

    def _rows(self) -> changes.Rows:
        images = None if self._images is None else np.asarray(self._images)
        return changes.Rows(self.embeddings.numpy(), self.ids, images)

    def _of(self, embeddings: np.ndarray, ids: Iterable[str], images: np.ndarray | None) -> Gallery:
        """A gallery of other rows, with an index of this one's kind and options."""
        index = make_index(self.index.kind, embeddings, **self.index.options())
        return Gallery(index, ids, images, self.metadata)

    def with_index(self, index: str | Index, **index_options: Any) -> Gallery:
        """The same gallery under another index, made here or given; ids and images are shared, not copied."""
        if isinstance(index, str):
            index = make_index(index, self.embeddings.numpy(), **index_options)
        return Gallery(index, self.ids, self._images, self.metadata)

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"<Gallery of {self.size} {'images' if self.has_images else 'ids alone'}, {type(self.index).__name__}>"

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
        k = check_count(k, self.size - 1, "images of the gallery without the query's own")
        return search_without(self.index, queries, k, exclude_rows)

    def random_rows(self, seeds: tf.Tensor, k: int, exclude_rows: tf.Tensor | None = None) -> tf.Tensor:
        """Distinct random rows for each of a batch of seeds [B, 2]: int32 [B, k]; see `random_rows.random_rows`."""
        return random_rows(self.size, seeds, k, exclude_rows)

    def rows_of(self, ids: tf.Tensor) -> tf.Tensor:
        """Rows of images by id: int32 of the shape of `ids`, -1 where the gallery does not hold it."""
        return self._ids.rows_of(ids)

    def ids_at(self, rows: tf.Tensor) -> tf.Tensor:
        """Ids of images by row: string of the shape of `rows`."""
        return self._ids.at(rows)

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
        """Writes the gallery to a new folder, whole or not at all, a block of rows at a time; see `gallery_files`.

        Raises:
          UserError: the folder exists.
        """

        def parts() -> Iterator[gallery_files.Part]:
            embeddings = self.embeddings.value()
            for start in range(0, self.size, _ROWS):
                rows = np.arange(start, min(start + _ROWS, self.size), dtype=np.int32)
                images = self.images(rows).numpy() if self.has_images else None
                yield embeddings[rows[0] : rows[-1] + 1].numpy(), self.ids[rows].tolist(), images

        gallery_files.save(folder, parts(), self.index, self.metadata)

    @classmethod
    def load(cls, folder: str | os.PathLike, index: str | None = None, keep_images: bool | str = True) -> Gallery:
        """Reads what `save` or `build` wrote.

        The embeddings are copied into the variable of the index, where graphs and SavedModels need them (twice for a
        moment, as TensorFlow makes a tensor of them); ScaNN holds its codes besides. Images are copied into a variable
        too, unless they are to stay in their file.

        Args:
          folder: the folder.
          index: None for the index it was saved with; another kind is built from the embeddings.
          keep_images: True to hold the images too, where there are any; "mapped" to read them from the file when they
            are asked for; False to leave them out.

        Raises:
          UserError: the folder or a file of it is missing, damaged or of a later format; the message names it.
        """
        stored = gallery_files.read(folder, index, keep_images)
        kind, options = stored.index
        return cls(make_index(kind, stored.embeddings, **options), stored.ids, stored.images, stored.metadata)
