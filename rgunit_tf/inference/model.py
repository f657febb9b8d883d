"""A trained model, ready to use: attributes by name in, pictures out (paper §3.1 and 3.3)."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence

import numpy as np

from rgunit_tf import bundled
from rgunit_tf.errors import UserError
from rgunit_tf.inference.attributes import check_changes, target_labels
from rgunit_tf.inference.description import Description, describe
from rgunit_tf.inference.networks import Networks
from rgunit_tf.models.style_prior import StylePrior
from rgunit_tf.retrieval.likeness import Likeness, cells

Attributes = str | Sequence[str] | np.ndarray
"""Changes by name (`["Blond_Hair", "-Young"]`, or one, `"Blond_Hair"`), or label vectors float [K], [1, K], [B, K]."""


@dataclasses.dataclass(frozen=True)
class Translation:
    """V variants of the translations of B images.

    Attributes:
      images: uint8 [V, B, H, W, 3].
      masks: float32 [V, B, H, W, 1] in [0, 1], where the model drew; 1 everywhere where its mask is off.
      styles: float32 [V, B, S], what was decoded.
      own: float32 [B, K], the attributes that the model sees in the images.
      targets: float32 [B, K], the attributes asked for; None where the style was not given by attributes.
    """

    images: np.ndarray
    masks: np.ndarray
    styles: np.ndarray
    own: np.ndarray
    targets: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Retrieved:
    """The images of the gallery that are nearest to B questions, nearest first.

    Attributes:
      ids: str [B, k].
      distances: float32 [B, k], Euclidean, between embeddings.
      images: uint8 [B, k, H, W, 3]; None where the gallery's images are not at hand, as with an export.
    """

    ids: np.ndarray
    distances: np.ndarray
    images: np.ndarray | None


class Model:
    """A trained model. Its methods may be called from several threads.

    Args:
      description: what it is.
      networks: what computes.
    """

    def __init__(self, description: Description, networks: Networks):
        self.description, self.networks = description, networks
        self.schema, self.image_size = description.schema, description.image_size
        self.prior = StylePrior(self.schema.size, description.style_dim // self.schema.size)

    def __repr__(self) -> str:
        parts = [f"{self.image_size} px", f"attributes {', '.join(self.schema.names)}"]
        parts += [f"{self.description.neighbors} neighbors"] if self.description.neighbors else []
        return f"<{self.description}: {'; '.join(parts)}>"

    def translate(
        self,
        images: np.ndarray,
        attributes: Attributes = (),
        *,
        reference: np.ndarray | None = None,
        samples: int = 0,
        strength: float = 1.0,
        seed: int = 0,
        ids: Sequence[str] | None = None,
    ) -> Translation:
        """Translates images to attributes, or to the style of a reference image.

        Args:
          images: uint8 [B, H, W, 3].
          attributes: changes by name, what is not named staying as the model sees it in each image; or label vectors.
          reference: uint8 [H, W, 3], whose style is taken in the place of attributes.
          samples: styles to draw of the target domain; 0: the mean of its component of the prior, V = 1.
          strength: 1 decodes the target's style, 0 the image's own (which gives the model's reconstruction of the
            image, not the image), what is between them a mixture.
          seed: of the drawn styles. Draw v is the same for every image, so that a result depends on no other image.
          ids: as for `decode`.

        Returns:
          V = max(samples, 1) variants.

        Raises:
          UserError: images of another size or type, unknown or excluding attributes, a strength out of [0, 1], an
            export that cannot translate.
        """
        own = self.styles_of(images)
        if reference is not None:
            styles, targets = np.repeat(self.styles_of(np.asarray(reference)[None])[None], len(images), 1), None
        else:
            targets = self._targets(own, attributes)
            styles = self._styles_for(targets, samples, seed)
        return dataclasses.replace(self.decode(images, styles, strength, own, ids), targets=targets)

    def interpolate(self, images: np.ndarray, start: Attributes | None, end: Attributes, steps: int) -> Translation:
        """Translates images to styles on the line from one domain to another.

        Args:
          images: uint8 [B, H, W, 3].
          start: as `attributes` of `translate`; None: each image's own style.
          end: likewise.
          steps: how many, both ends included.

        Returns:
          V = steps variants.

        Raises:
          UserError: as `translate`, or fewer than 2 steps.
        """
        if steps < 2:
            raise UserError(f"steps={steps} must be at least 2, the two ends")
        own = self.styles_of(images)
        targets = self._targets(own, end)
        first = own if start is None else self._styles_for(self._targets(own, start), 0, 0)[0]
        last = self._styles_for(targets, 0, 0)[0]
        shares = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, None, None]
        return dataclasses.replace(
            self.decode(images, (1.0 - shares) * first + shares * last, own=own), targets=targets
        )

    def decode(
        self,
        images: np.ndarray,
        styles: np.ndarray,
        strength: float = 1.0,
        own: np.ndarray | None = None,
        ids: Sequence[str] | None = None,
    ) -> Translation:
        """Translates images to given styles.

        Args:
          images: uint8 [B, H, W, 3].
          styles: float [V, B, S].
          strength: see `translate`.
          own: the images' own styles, float32 [B, S], where they are known.
          ids: B names of images that may be in a run's gallery, so that none guides its own translation.
        """
        if not self.description.translates:
            raise UserError(f"--model={self.description.path} is the retrieval stage's export; give another stage's")
        if not 0.0 <= strength <= 1.0:
            raise UserError(f"strength={strength} must be from 0, the image's own style, to 1, the target's")
        own = self.styles_of(images) if own is None else own
        styles = np.asarray(own + strength * (styles - own) if strength < 1.0 else styles, np.float32)
        results = [self.networks.translate(images, style, ids) for style in styles]
        translated, masks = (np.stack(parts) for parts in zip(*results, strict=True))
        return Translation(translated, masks, styles, self.schema.nearest_labels(own))

    def retrieve(
        self, images: np.ndarray, attributes: Attributes = (), *, reference: np.ndarray | None = None, k: int = 10
    ) -> Retrieved:
        """Finds the real images of the gallery with the content of `images` in a domain (paper §3.2).

        Args:
          images: uint8 [B, H, W, 3].
          attributes: as for `translate`.
          reference: as for `translate`; not with an export.
          k: how many.

        Raises:
          UserError: as `translate`; a model without a gallery, or with fewer than k images in it.
        """
        own = self.styles_of(images)
        if reference is not None:
            styles = np.repeat(self.styles_of(np.asarray(reference)[None]), len(images), 0)
        else:
            styles = self._styles_for(self._targets(own, attributes), 0, 0)[0]
        return self.search(images, styles, k)

    def neighbors(self, images: np.ndarray, styles: np.ndarray, ids: Sequence[str] | None = None) -> Retrieved:
        """The images that guide a guided model's translation of `images` to `styles`, float32 [B, S]; see `decode`."""
        if not self.description.neighbors:
            raise UserError(f"--model={self.description.path}: only a guided model has neighbors; train that stage")
        return self.search(images, styles, self.description.neighbors, ids)

    def search(self, images: np.ndarray, styles: np.ndarray, k: int, ids: Sequence[str] | None = None) -> Retrieved:
        """The k images of the gallery nearest to the content of `images` in given styles, float32 [B, S].

        Those of `ids`, one for each of `images`, are not found.
        """
        if not self.description.gallery:
            raise UserError(
                f"--model={self.description.path} has no gallery; name a run, or an export, of the retrieval or "
                "guided stage (bin/export makes a run's gallery anew)"
            )
        if k < 1:
            raise UserError(f"k={k} must be at least 1")
        found, distances = self.networks.search(images, np.asarray(styles, np.float32), k, ids)
        return Retrieved(found, distances, self.networks.gallery_images(found))

    def styles_of(self, images: np.ndarray) -> np.ndarray:
        """The images' own styles, Es(x): uint8 [B, H, W, 3] -> float32 [B, S]."""
        images, side = np.asarray(images), self.image_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3) or not len(images):
            raise UserError(f"images: {images.dtype} {images.shape}; expected uint8 [B, {side}, {side}, 3]")
        return self.networks.styles(images)

    def unlikeness_of(self, images: np.ndarray) -> np.ndarray | None:
        """How unlike the pictures that the model was trained on images are.

        Args:
          images: uint8 [B, H, W, 3].

        Returns:
          float32 [B], the distance of each one's content from the gallery's, 1 being that within which 99 % of real
          test pictures are; None with a model that has no gallery, or was trained by an earlier version.
        """
        if self._likeness is None:
            return None
        return self._likeness.distances(cells(self.networks.contents(np.asarray(images)))) / self._likeness.limit

    @functools.cached_property
    def _likeness(self) -> Likeness | None:
        return self.networks.likeness()

    def attributes_of(self, images: np.ndarray) -> np.ndarray:
        """The attributes that the model sees in images: uint8 [B, H, W, 3] -> float32 [B, K]."""
        return self.schema.nearest_labels(self.styles_of(images))

    def _targets(self, own: np.ndarray, attributes: Attributes) -> np.ndarray:
        if isinstance(attributes, str):
            attributes = (attributes,)
        if not isinstance(attributes, np.ndarray):
            check_changes(self.schema, attributes)
            return target_labels(self.schema, self.schema.nearest_labels(own), attributes)
        labels = self.schema.check_labels(np.atleast_2d(attributes), "attributes")
        if len(labels) not in (1, len(own)):
            raise UserError(f"attributes: {len(labels)} rows for {len(own)} images; give one row, or one an image")
        return np.broadcast_to(labels, (len(own), self.schema.size))

    def _styles_for(self, labels: np.ndarray, samples: int, seed: int) -> np.ndarray:
        """Styles of the components of labels [B, K]: float32 [max(samples, 1), B, S]."""
        if not samples:
            return self.prior.mean(labels).numpy()[None]
        shape = (samples, 1, self.description.style_dim)
        noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
        return np.stack([self.prior.sample(labels, draw).numpy() for draw in noise])


def load(model: str | os.PathLike | Description | None = None, purpose: str | None = None) -> Model:
    """Loads a model.

    Args:
      model: a path as for `describe`, or a description; None: the model that comes with the package.
      purpose: see `describe`.

    Raises:
      UserError: there is none, or its files are damaged.
    """
    description = model if isinstance(model, Description) else describe(model or bundled.path(), purpose)
    # An export needs nothing of what a stage is made of.
    if description.kind == "workdir":
        from rgunit_tf.inference.run_networks import RunNetworks as Loaded
    else:
        from rgunit_tf.inference.export_networks import ExportNetworks as Loaded
    return Model(description, Loaded(description))
