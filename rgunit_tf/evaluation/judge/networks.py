"""Which networks trained elsewhere judge a run, and which of them its training has seen."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from absl import logging

from rgunit_tf.evaluation.judge.faces import FaceJudge
from rgunit_tf.evaluation.judge.imagenet import ImageNetJudge
from rgunit_tf.evaluation.judge.views import Network
from rgunit_tf.pretrained import efficientnet as efficientnet_network
from rgunit_tf.pretrained import faces, judge_weights
from rgunit_tf.pretrained import inception as inception_network

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset

Judge = ImageNetJudge | FaceJudge


def load(inception: str = "auto", efficientnet: str = "auto", judges: str = "auto") -> list[Network]:
    """The networks that the flags of those names name; see `load` of each.

    Raises:
      UserError: a file that was named cannot be used.
    """
    found = [*judge_weights.load(judges), inception_network.load(inception), efficientnet_network.load(efficientnet)]
    return [network for network in found if network is not None]


def judges_of(
    networks: Sequence[Network],
    dataset: Dataset,
    seed: int = 0,
    folder: pathlib.Path | None = None,
    seen: frozenset[str] = frozenset(),
) -> list[Judge]:
    """A judge of each network; of faces only where the data has an attribute that theirs knows.

    Args:
      networks: see `load`.
      dataset: its test images are judged.
      seed: of the choice of images and the resamples.
      folder: keeps the views of real images; None keeps nothing.
      seen: keys of the networks that training saw, see `seen_in_training`.
    """
    judges: list[Judge] = []
    for network in networks:
        if not isinstance(network, faces.FaceNetwork):
            judges.append(ImageNetJudge(network, dataset, seed, folder, network.key in seen))
        elif network.key in seen:
            logging.warning("left out: %s: training saw these networks", network.identity)
        elif set(faces.ATTRIBUTES) & set(dataset.schema.names):
            judges.append(FaceJudge(network, faces.ATTRIBUTES, dataset, seed, folder))
    return judges


def seen_in_training(config: Any, networks: Sequence[Network]) -> frozenset[str]:
    """Keys of those networks that a run was trained against.

    A setting that trains against a network names it by its key, or by one that begins with it
    (`efficientnet_lite0`); where the data comes from does not count.

    Args:
      config: of the run.
      networks: that might judge it.
    """
    groups = config.to_dict() if hasattr(config, "to_dict") else {}
    named = [
        word.lower().replace("-", "_") for name, group in groups.items() if name != "data" for word in _words(group)
    ]
    return frozenset(
        network.key for network in networks if any(f"{word}_".startswith(f"{network.key}_") for word in named)
    )


def _words(value: Any) -> Iterator[str]:
    """Strings among the values of a group of settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _words(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _words(part)
