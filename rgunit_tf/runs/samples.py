"""Image grids of a model on fixed inputs: input, translations to several domains, mask or change, reconstruction."""

from __future__ import annotations

import pathlib

import numpy as np
import tensorflow as tf

from rgunit_tf import grid, pixels
from rgunit_tf.data.split import Split
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.names import to_tensor
from rgunit_tf.runs.events import EventFile
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.translation import TranslationModel


def domain_changes(schema: AttributeSchema, labels: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """One change a column: each member of a group is set, every other attribute is switched.

    Args:
      schema: K attributes.
      labels: float [B, K], what the images have.

    Returns:
      Column titles and target labels float32 [B, K].
    """
    grouped = {name for group in schema.groups for name in group}
    return [
        (name if name in grouped else f"{name} switched", np.stack([schema.switched(label, name) for label in labels]))
        for name in schema.names
    ]


def sample_rows(
    model: TranslationModel, images: np.ndarray, labels: np.ndarray, ids: np.ndarray, seed: int = 0
) -> tuple[list[str], list[list[np.ndarray]]]:
    """Columns titles and a row of pictures an image: translations, the last one's mask, the reconstruction, neighbours.

    Where the mask is off (all ones) its column shows the mean absolute difference of the last translation to its input.

    Args:
      model: a translation or guided model.
      images: uint8 [B, H, W, 3].
      labels: float [B, K].
      ids: names [B].
      seed: of the styles; the same ones for every column.
    """
    x = pixels.to_float(images)
    names = to_tensor(ids)
    noise = tf.random.stateless_normal((len(images), model.prior.style_dim), [seed, 0])
    titles, columns = ["input"], [images]
    for title, targets in domain_changes(model.schema, labels):
        styles = model.prior.sample(targets, noise)
        translated, masks = model.translate_with_style(x, styles, names)
        titles.append(title)
        columns.append(pixels.to_uint8(translated).numpy())
    shown, what = masks, "mask"
    if float(tf.reduce_min(masks)) == 1.0:  # off: what there is to see is how much became other
        shown, what = tf.reduce_mean(tf.abs(translated - x), -1, keepdims=True), "change"
    titles.append(f"{what} of {titles[-1]}")
    columns.append(np.repeat((np.minimum(shown.numpy(), 1.0) * 255).astype(np.uint8), 3, axis=-1))
    mean, _ = model.style_encoder(x)
    titles.append("reconstruction")
    columns.append(pixels.to_uint8(model.translate_with_style(x, mean, names)[0]).numpy())
    if isinstance(model, GuidedModel) and model.neighbors:
        rows = model.neighbors_for(x, styles, names)
        neighbors = model.gallery.images(rows).numpy()
        for rank in range(model.neighbors):
            titles.append(f"neighbor {rank + 1} for {titles[len(model.schema.names)]}")
            columns.append(neighbors[:, rank])
    return titles, [[column[row] for column in columns] for row in range(len(images))]


class Samples(tf.keras.callbacks.Callback):
    """Writes an image grid, and shows it in TensorBoard, every so many steps.

    Args:
      split: its first images are used.
      directory: where `<step>.png` goes.
      every: steps between two grids.
      events: for TensorBoard, if any.
      count: images in the grid.
    """

    def __init__(
        self,
        split: Split,
        directory: pathlib.Path,
        every: int,
        events: EventFile | None = None,
        count: int = 8,
    ):
        super().__init__()
        self.every, self.directory, self.events = every, directory, events
        count = min(count, len(split))
        self.images = np.stack([split.image(index) for index in range(count)])
        self.labels, self.ids = split.labels[:count], split.ids[:count]

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Notes the step from which training goes on."""
        self._seen = int(self.model.step.numpy())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Draws the grid where it is time to."""
        step = int(self.model.step.numpy())
        if step // self.every > self._seen // self.every:
            self.draw()
        self._seen = step

    def draw(self) -> None:
        """Draws the grid of the present step, with the averaged weights."""
        step = int(self.model.step.numpy())
        with self.model.averaged_weights():
            titles, rows = sample_rows(self.model, self.images, self.labels, self.ids)
        grid.save_grid(self.directory / f"{step:07d}.png", rows, titles)
        if self.events is not None:
            self.events.image(step, "samples", grid.make_grid(rows, titles))
