"""What the SavedModel of each stage computes, and under which names (TensorFlow Serving's signatures).

    name                  inputs                       outputs                              stages
    translate_files       image_bytes, attributes      translated_bytes, mask_bytes         translation, guided
    translate_images      images, attributes           translated_images, masks             translation, guided
    translate_to_style    images, styles               translated_images, masks             translation, guided
    encode                images                       content, style_mean,                 all
                                                       style_log_variance
    sample_styles         attributes, noise            styles                               all
    embed                 images, attributes           embeddings                           retrieval, guided
    retrieve              images, attributes, k        ids, distances                       with a gallery
    retrieve_bytes        image_bytes, attributes, k   ids, distances                       with a gallery

For one version `translate_bytes`, `translate` and `translate_with_style` are the first three under their old names,
with what is translated under the name of the input, `image_bytes` or `images`.

`image_bytes`, `translated_bytes` and `mask_bytes` are string [B], JPEG or PNG in and PNG out; `images` uint8 [B, H, W,
3]; `attributes` float32 [B, K] of 0 and 1, or between them, of a group of excluding ones 1 in all at most; `styles` and
`noise` float32 [B, S]; `masks` float32 [B, H, W, 1] in [0, 1]; `embeddings` float32 [B, D]; `k` int32, one number or
[B]; `ids` string [B, k]; `distances` float32 [B, k], the nearest first. B may be 0. Where attributes stand for a style
it is the mean of their component of the prior, so that every answer depends on its request alone; other styles come
from `sample_styles`.

A server that batches requests joins them along B, which all inputs must have: there `k` is [B]. Where it differs
between rows the answer has as many columns as the largest; what a row did not ask for is "" at distance -1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.serving import image_codec, requests

Tensors = dict[str, tf.Tensor]

OLD_NAMES = {
    "translate_bytes": ("translate_files", {"translated_bytes": "image_bytes"}),
    "translate": ("translate_images", {"translated_images": "images"}),
    "translate_with_style": ("translate_to_style", {"translated_images": "images"}),
}
"""Aliases of signatures, and what their outputs were called; to go with version 0.2."""

CONVERTIBLE = ("translate_images", "translate_to_style", "encode", "sample_styles", "embed")
"""Signatures of numbers alone, which ONNX and TFLite can do."""


class StageGraph:
    """The inference graph of a stage.

    Parts that several signatures share are traced once. The networks are those of the model, not copies.

    Args:
      model: a stage: what has the attributes and methods of `stages.Stage` and, if it translates, of a translator.
      gallery: what `retrieve` searches and a guided model is guided by; None: the signatures that need it are absent.
      crop_share: see `image_codec.decode_squares`.
      max_pixels: likewise.
      contents_of: what looks up the contents of gallery rows for a guided model; None: the model's own.
    """

    def __init__(
        self,
        model: Any,
        gallery: Gallery | None = None,
        crop_share: float = 1.0,
        max_pixels: int = image_codec.MAX_PIXELS,
        contents_of: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ):
        self.model, self.gallery, self.crop_share, self.max_pixels = model, gallery, crop_share, max_pixels
        self._contents_of = contents_of or model.contents_of
        self.translation, self.retrieval = model.translation, model.retrieval
        self.image_size, self.attributes = self.translation.image_size, self.translation.schema.size
        self.style_dim = self.translation.prior.style_dim
        images = tf.TensorSpec([None, self.image_size, self.image_size, 3], tf.float32)
        styles = tf.TensorSpec([None, self.style_dim], tf.float32)
        self._content = tf.function(self.translation.content_encoder, input_signature=[images], autograph=False)
        self._inputs = {
            "image_bytes": tf.TensorSpec([None], tf.string),
            "images": tf.TensorSpec([None, self.image_size, self.image_size, 3], tf.uint8),
            "attributes": tf.TensorSpec([None, self.attributes], tf.float32),
            "styles": styles,
            "noise": styles,
            "k": tf.TensorSpec(None, tf.int32),
        }
        files = [self._inputs["image_bytes"]]
        self._decode_files = tf.function(self._decoded_files, input_signature=files, autograph=False)
        self._encode = tf.function(_also_empty(self._encoded), input_signature=[images], autograph=False)
        self._translate = tf.function(_also_empty(self._translated), input_signature=[images, styles], autograph=False)
        self._embed = tf.function(_also_empty(self._embedded), input_signature=[images, styles], autograph=False)

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The signatures of the stage by name, traced; `serving_default` is one of them again."""
        names: dict[str, tuple[Callable[..., Tensors], tuple[str, ...]]] = {
            "encode": (self.encode, ("images",)),
            "sample_styles": (self.sample_styles, ("attributes", "noise")),
        }
        if self.model.translates:
            names["translate_files"] = (self.translate_files, ("image_bytes", "attributes"))
            names["translate_images"] = (self.translate_images, ("images", "attributes"))
            names["translate_to_style"] = (self.translate_to_style, ("images", "styles"))
            for old, (new, outputs) in OLD_NAMES.items():
                names[old] = (_renamed(names[new][0], outputs), names[new][1])
        if self.retrieval is not None:
            names["embed"] = (self.embed, ("images", "attributes"))
            if self.gallery is not None:
                names["retrieve"] = (self.retrieve, ("images", "attributes", "k"))
                names["retrieve_bytes"] = (self.retrieve_bytes, ("image_bytes", "attributes", "k"))
        traced = {}
        for name, (function, inputs) in names.items():
            specs = {key: tf.TensorSpec(self._inputs[key].shape, self._inputs[key].dtype, name=key) for key in inputs}
            traced[name] = tf.function(function, autograph=False).get_concrete_function(**specs)
        default = next(name for name in ("translate_files", "retrieve_bytes", "embed") if name in traced)
        return {"serving_default": traced[default], **traced}

    # Signatures

    def translate_files(self, image_bytes: tf.Tensor, attributes: tf.Tensor) -> Tensors:
        """Files to files of the model's size."""
        styles = self._mean_styles(attributes)
        images = self._decode_files(self._checked_files(image_bytes, attributes))
        translated, masks = self._translate(pixels.to_float(images), styles)
        return {
            "translated_bytes": image_codec.encode_png(translated),
            "mask_bytes": image_codec.encode_png(tf.cast(tf.round(masks * 255.0), tf.uint8)),
        }

    def translate_images(self, images: tf.Tensor, attributes: tf.Tensor) -> Tensors:
        """To the mean style of the attributes."""
        images, attributes = self._checked_pair(images, attributes, "attributes")
        translated, masks = self._translate(images, self._mean_styles(attributes))
        return {"translated_images": translated, "masks": masks}

    def translate_to_style(self, images: tf.Tensor, styles: tf.Tensor) -> Tensors:
        """To given styles."""
        images, styles = self._checked_pair(images, styles, "styles")
        translated, masks = self._translate(images, self._checked_styles(styles, "styles"))
        return {"translated_images": translated, "masks": masks}

    def encode(self, images: tf.Tensor) -> Tensors:
        """Content and own style of images."""
        content, mean, log_variance = self._encode(self._checked_images(images))
        return {"content": content, "style_mean": mean, "style_log_variance": log_variance}

    def sample_styles(self, attributes: tf.Tensor, noise: tf.Tensor) -> Tensors:
        """Styles of the attributes' component of the prior; `noise` is standard normal."""
        attributes = requests.after([requests.same_batch(attributes, noise, "attributes and noise")], attributes)
        noise = self._checked_styles(noise, "noise")
        return {"styles": self.translation.prior.sample(self._checked_attributes(attributes), noise)}

    def embed(self, images: tf.Tensor, attributes: tf.Tensor) -> Tensors:
        """Embeddings of the question for the images' content in the attributes' domain."""
        images, attributes = self._checked_pair(images, attributes, "attributes")
        return {"embeddings": self._embed(images, self._mean_styles(attributes))}

    def retrieve(self, images: tf.Tensor, attributes: tf.Tensor, k: tf.Tensor) -> Tensors:
        """The k images of the gallery that are nearest to that question."""
        return self._found(self.embed(images, attributes)["embeddings"], k)

    def retrieve_bytes(self, image_bytes: tf.Tensor, attributes: tf.Tensor, k: tf.Tensor) -> Tensors:
        """The same for files."""
        styles = self._mean_styles(attributes)
        images = self._decode_files(self._checked_files(image_bytes, attributes))
        return self._found(self._embed(pixels.to_float(images), styles), k)

    # Shared parts

    def _decoded_files(self, image_bytes: tf.Tensor) -> tf.Tensor:
        return image_codec.decode_squares(image_bytes, self.image_size, self.crop_share, self.max_pixels)

    def _encoded(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return self._content(images), *self.translation.style_encoder(images)

    def _translated(self, images: tf.Tensor, styles: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        content = self._content(images)
        styles = self._target_styles(content, styles)
        content = self._guided(content, styles)
        translated, masks = self.model.decode(content, styles, images)
        return pixels.to_uint8(translated), masks

    def _target_styles(self, content: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
        """Styles of retrieved images for those asked for, where the model translates to such."""
        if self.model.styles_of is None:
            return styles
        if self.model.mode == "random":
            return self.model.target_styles(content, styles, None, None)
        return self.model.styles_of.nearest(styles, self.neighbor_rows(content, styles))

    def _guided(self, content: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
        """Eq. 9 with neighbours from the exported gallery, whose index may differ from the model's."""
        if not self.model.neighbors:
            return content
        return self.model.fusion(content, self._contents_of(self.neighbor_rows(content, styles)), styles)

    def neighbor_rows(self, content: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
        """Gallery rows that guide the translation of content [B, h, w, C] to styles [B, S]; int32 [B, r]."""
        if self.model.mode == "random":
            return self.model.neighbor_rows(content, styles, None)
        return self.gallery.search_rows(self.retrieval.embed(content, styles), self.model.neighbors)[1]

    def _embedded(self, images: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
        return self.retrieval.embed(self._content(images), styles)

    def _found(self, queries: tf.Tensor, k: tf.Tensor) -> Tensors:
        counts, widest = requests.checked_counts(k, queries, self.gallery.size)
        ids, distances = self.gallery.search(queries, widest)
        wanted = tf.range(widest) < counts[:, tf.newaxis]
        return {"ids": tf.where(wanted, ids, ""), "distances": tf.where(wanted, distances, -1.0)}

    # Checks of inputs

    def _checked_images(self, images: tf.Tensor) -> tf.Tensor:
        return pixels.to_float(requests.checked_rows(images, (self.image_size, self.image_size, 3), "images"))

    def _checked_pair(self, images: tf.Tensor, other: tf.Tensor, name: str) -> tuple[tf.Tensor, tf.Tensor]:
        check = requests.same_batch(images, other, f"images and {name}")
        return self._checked_images(requests.after([check], images)), requests.after([check], other)

    def _checked_files(self, image_bytes: tf.Tensor, attributes: tf.Tensor) -> tf.Tensor:
        files = tf.ensure_shape(image_bytes, [None])
        return requests.after([requests.same_batch(files, attributes, "image_bytes and attributes")], files)

    def _checked_attributes(self, attributes: tf.Tensor) -> tf.Tensor:
        attributes = requests.checked_rows(attributes, (self.attributes,), "attributes", 0.0, 1.0)
        schema = self.translation.schema
        for group in schema.groups:
            numbers = [schema.index(name) for name in group]
            attributes = requests.of_one_group(attributes, numbers, group, schema.categorical)
        return attributes

    def _checked_styles(self, styles: tf.Tensor, name: str) -> tf.Tensor:
        limit = requests.STYLE_RANGE
        return requests.checked_rows(styles, (self.style_dim,), name, -limit, limit)

    def _mean_styles(self, attributes: tf.Tensor) -> tf.Tensor:
        return self.translation.prior.mean(self._checked_attributes(attributes))


def _renamed(function: Callable[..., Tensors], names: dict[str, str]) -> Callable[..., Tensors]:
    """`function` with other names for some of its outputs."""
    return lambda **inputs: {names.get(name, name): value for name, value in function(**inputs).items()}


def _also_empty(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of tensors with B rows each, for a B of 0 too.

    TensorFlow's fused convolutions fail on empty batches: one row of zeros is computed instead, and dropped.
    """

    def filled(*inputs: tf.Tensor) -> Any:
        count = tf.shape(inputs[0])[0]
        missing = tf.cast(count == 0, tf.int32)
        rows = [tf.pad(value, [[0, missing], *[[0, 0]] * (value.shape.rank - 1)]) for value in inputs]
        # As a reshaping, which converters know, sizes stay known in a saved graph.
        rows = [tf.reshape(row, [-1, *value.shape[1:]]) for row, value in zip(rows, inputs, strict=True)]
        return tf.nest.map_structure(lambda result: result[:count], function(*rows))

    return filled
