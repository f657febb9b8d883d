"""Triplets that train the retrieval model, made with a frozen translation model (paper §3.2).

Of an image x of domain i with content c = Ec(x), a target domain t and a style s_t of it:

    anchor        (c, s_t)
    positive      (Ec(x̂), Es(x̂)),  x̂ = G(c, s_t)
    easy          (Ec(x_r), Es(x_r)),  x_r another image, of a domain r ≠ t
    medium        x_r translated to s_t, encoded: the anchor's style, other content
    hard_style    x translated to a style s_r of the domain r ≠ t, encoded: the anchor's content, other style
    hard_domain   x translated to a style s_i of its own domain, encoded: the anchor's content, x's domain
    random        (Ec(x_q), Es(x_q)),  x_q any other image
    hard_content  x_n translated to s_t, encoded: the anchor's style; x_n the other image whose content is nearest

The last two are not the paper's. The random negative is chosen with no regard to domains: any other training image as
it is, while the easy negative is known not to be of the target domain. The hard content is the medium negative that a
batch makes hardest: a random other image is soon told apart, and then teaches nothing more about content.

Es(·) is the mean of the predicted style. Other images are those of the same (global) batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from rgunit_tf.config import NEGATIVES
from rgunit_tf.errors import UserError

STRATEGIES = NEGATIVES


class Noise(Protocol):
    """Source of random numbers, such as `StepNoise`."""

    def normal(self, *shape: int) -> tf.Tensor:
        """Standard normal float32 [B, *shape]."""
        ...

    def uniform(self, *shape: int) -> tf.Tensor:
        """Uniform float32 [B, *shape] in [0, 1)."""
        ...


class TripletSources(NamedTuple):
    """What the retrieval network embeds, in one pass: B anchors, B positives, then B negatives of each strategy.

    Attributes:
      content: float32 [(2 + n) B, h, w, C].
      style: float32 [(2 + n) B, S].
      weights: float32 [n, B]; 0 where the batch offers no negative that fits the strategy's definition.
      strategies: names of the n strategies, in the order of the negatives.
    """

    content: tf.Tensor
    style: tf.Tensor
    weights: tf.Tensor
    strategies: tuple[str, ...]

    @property
    def count(self) -> int:
        """2 + n, the samples of each image."""
        return 2 + len(self.strategies)

    def split(self, embeddings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Embeddings [(2 + n) B, D] as (anchors [B, D], positives [B, D], negatives [B, D] by strategy)."""
        anchor, positive, *negatives = tf.split(embeddings, self.count)
        return anchor, positive, dict(zip(self.strategies, negatives, strict=True))

    def weights_of(self, strategy: str) -> tf.Tensor:
        """Weights of one strategy's triplets, float32 [B]."""
        return self.weights[self.strategies.index(strategy)]


class _Codes(NamedTuple):
    content: tf.Tensor
    style: tf.Tensor


class _Translation(NamedTuple):
    """One translation that a strategy asks for: of `images` with `content`, to `style`; B each."""

    content: tf.Tensor
    style: tf.Tensor
    images: tf.Tensor


def triplet_sources(
    translation: Any,
    images: tf.Tensor,
    labels: tf.Tensor,
    targets: tf.Tensor,
    noise: Noise,
    strategies: Sequence[str],
) -> TripletSources:
    """Anchors, positives and negatives of a batch, with one pass of G and two of the encoders.

    Args:
      translation: has `content_encoder(images)`, `style_encoder(images) -> (mean, log_variance)`,
        `prior.sample(labels, noise)`, `prior.style_dim` and `decode(content, style, images) -> (images, masks)`; no
        gradient flows into it.
      images: x, float32 [B, H, W, 3] in [-1, 1].
      labels: domain i of each, float32 [B, K].
      targets: domain t for each, float32 [B, K].
      noise: what chooses styles and other images. The same draws are made whatever the strategies, so that runs with
        different ones see the same anchors.
      strategies: one or more of `STRATEGIES`.

    Raises:
      UserError: no strategy, an unknown one, or one twice.
    """
    strategies = check_strategies(strategies)
    codes = _encode(translation, images)
    # Partners come from the global batch, so that the triplets do not depend on how it is split over replicas.
    pool = _global_batch(codes, images, labels)
    partners = _partners(labels, targets, noise, pool)
    styles = _draw_styles(translation.prior, labels, targets, tf.gather(pool.labels, partners.other), noise)
    wanted = _translations(codes.content, images, styles, pool, partners, strategies)
    samples = {
        "easy": _Codes(*(tf.gather(code, partners.other) for code in pool.codes)),
        "random": _Codes(*(tf.gather(code, partners.any) for code in pool.codes)),
        **_translate(translation, wanted),
    }
    valid = _valid(labels, targets, partners)
    parts = [_Codes(codes.content, styles.target), samples["positive"], *(samples[name] for name in strategies)]
    return TripletSources(
        content=tf.stop_gradient(tf.concat([part.content for part in parts], axis=0)),
        style=tf.stop_gradient(tf.concat([part.style for part in parts], axis=0)),
        weights=tf.cast(tf.stack([valid[name] for name in strategies]), tf.float32),
        strategies=strategies,
    )


def check_strategies(strategies: Sequence[str]) -> tuple[str, ...]:
    """`strategies` as a tuple.

    Raises:
      UserError: there is none, an unknown one, or one twice.
    """
    strategies = tuple(strategies)
    if not strategies or len(set(strategies)) != len(strategies) or not set(strategies) <= set(STRATEGIES):
        raise UserError(f"retrieval.negatives={strategies} must be one or more of {', '.join(STRATEGIES)}, each once")
    return strategies


class _Partners(NamedTuple):
    """Other images of the batch, for each image.

    Attributes:
      other: x_r, int32 [B], of a domain that is not the target's where the batch has one.
      any: x_q, int32 [B], regardless of domains.
      differs: bool [B], whether x_r is another image and its domain is not the target's.
      exists: bool [B], whether there is another image at all.
    """

    other: tf.Tensor
    any: tf.Tensor
    differs: tf.Tensor
    exists: tf.Tensor


class _Pool(NamedTuple):
    """What all replicas hold together, P images, and where this replica's own begin among them."""

    codes: _Codes
    images: tf.Tensor
    labels: tf.Tensor
    first: tf.Tensor | int


class _Styles(NamedTuple):
    """Styles float32 [B, S] of the target domain (s_t), of the domain of x_r (s_r) and of the own one (s_i)."""

    target: tf.Tensor
    other: tf.Tensor
    own: tf.Tensor


def _global_batch(codes: _Codes, images: tf.Tensor, labels: tf.Tensor) -> _Pool:
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return _Pool(codes, images, labels, 0)
    content, style, images, pool_labels = (context.all_gather(x, axis=0) for x in (*codes, images, labels))
    first = context.replica_id_in_sync_group * tf.shape(labels)[0]
    return _Pool(_Codes(content, style), images, pool_labels, first)


def _partners(labels: tf.Tensor, targets: tf.Tensor, noise: Noise, pool: _Pool) -> _Partners:
    others = _others(labels, pool.labels, pool.first)
    of_target_domain = tf.reduce_all(tf.equal(pool.labels[tf.newaxis], targets[:, tf.newaxis]), axis=-1)
    fitting = others & ~of_target_domain
    differs = tf.reduce_any(fitting, axis=1)
    return _Partners(
        other=_choose(tf.where(differs[:, tf.newaxis], fitting, others), noise.uniform()),
        any=_choose(others, noise.uniform()),
        differs=differs,
        exists=tf.reduce_any(others, axis=1),
    )


def _draw_styles(prior: Any, labels: tf.Tensor, targets: tf.Tensor, other_labels: tf.Tensor, noise: Noise) -> _Styles:
    return _Styles(*(prior.sample(each, noise.normal(prior.style_dim)) for each in (targets, other_labels, labels)))


def _translations(
    content: tf.Tensor,
    images: tf.Tensor,
    styles: _Styles,
    pool: _Pool,
    partners: _Partners,
    strategies: tuple[str, ...],
) -> dict[str, _Translation]:
    """What G is to draw: the positive, and the negatives that are translations."""

    def of(rows: tf.Tensor) -> _Translation:
        return _Translation(tf.gather(pool.codes.content, rows), styles.target, tf.gather(pool.images, rows))

    made = {
        "positive": lambda: _Translation(content, styles.target, images),
        "medium": lambda: of(partners.other),
        "hard_style": lambda: _Translation(content, styles.other, images),
        "hard_domain": lambda: _Translation(content, styles.own, images),
        "hard_content": lambda: of(_nearest(content, pool.codes.content, pool.first)),
    }
    return {name: make() for name, make in made.items() if name in ("positive", *strategies)}


def _valid(labels: tf.Tensor, targets: tf.Tensor, partners: _Partners) -> dict[str, tf.Tensor]:
    """Whether the batch offers a negative that fits each strategy's definition: bool [B]."""
    return {
        "easy": partners.differs,
        "medium": partners.exists,
        "hard_style": partners.differs,
        "hard_domain": ~tf.reduce_all(tf.equal(labels, targets), axis=-1),
        "random": partners.exists,
        "hard_content": partners.exists,
    }


def _others(own: tf.Tensor, pool: tf.Tensor, first: tf.Tensor | int) -> tf.Tensor:
    """Which images of the pool are not the image itself: bool [B, P]."""
    rows = first + tf.range(tf.shape(own)[0])
    return rows[:, tf.newaxis] != tf.range(tf.shape(pool)[0])[tf.newaxis]


def _nearest(content: tf.Tensor, pool: tf.Tensor, first: tf.Tensor | int) -> tf.Tensor:
    """The image of the pool with the least L2 distance of contents, itself left out: int32 [B]."""
    own, all_others = (tf.reshape(tf.cast(x, tf.float32), (tf.shape(x)[0], -1)) for x in (content, pool))
    # Of the squared distance the image's own square is the same for all.
    distance = tf.reduce_sum(tf.square(all_others), axis=1) - 2.0 * tf.matmul(own, all_others, transpose_b=True)
    return tf.argmin(tf.where(_others(content, pool, first), distance, np.inf), axis=1, output_type=tf.int32)


def _choose(allowed: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """One allowed column a row, all alike likely: bool [B, C], uniform [B] -> int32 [B]; 0 where none is allowed."""
    rank = tf.cumsum(tf.cast(allowed, tf.int32), axis=1)
    total = rank[:, -1:]
    # Rounding could bring the product of the largest uniform number up to the total.
    wanted = tf.minimum(tf.cast(uniform[:, tf.newaxis] * tf.cast(total, tf.float32), tf.int32), total - 1)
    return tf.argmax(allowed & (rank == wanted + 1), axis=1, output_type=tf.int32)


def _encode(translation: Any, images: tf.Tensor) -> _Codes:
    return _Codes(translation.content_encoder(images), translation.style_encoder(images)[0])


def _translate(translation: Any, wanted: Mapping[str, _Translation]) -> dict[str, _Codes]:
    """Decodes and encodes again all that is wanted, in one pass each."""
    content, style, images = (tf.concat(parts, axis=0) for parts in zip(*wanted.values(), strict=True))
    translated, _ = translation.decode(content, style, images)
    codes = _encode(translation, translated)
    parts = zip(*(tf.split(code, len(wanted)) for code in codes), strict=True)
    return {name: _Codes(*part) for name, part in zip(wanted, parts, strict=True)}
