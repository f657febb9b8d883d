"""The runs behind the paper's tables: how each differs from the config, and which stages it takes from another run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import ml_collections

from rgunit_tf import config as config_module
from rgunit_tf.config import STAGES
from rgunit_tf.errors import UserError

TRIPLETS = {
    "easy": ("easy",),
    "medium": ("medium",),
    "hard": ("hard_style", "hard_domain"),
    "all": ("easy", "medium", "hard_style", "hard_domain"),
    "random": ("random",),
    "hard_content": ("easy", "hard_content", "hard_style", "hard_domain"),
}
"""Negatives of each triplet strategy of paper Table 1, and of two more: see `retrieval.triplets`."""


GUIDANCE = {
    "attention": {"guided.fusion": "attention"},
    "fused_content": {"guided.content_target": "fused"},
    "neighbor_styles": {"guided.style": "neighbors"},
    "mixed_start": {"guided.initial_share": 0.4},
}
"""Other ways to guide than the config's, which may be joined: `attention+fused_content`."""


def guidance(name: str) -> dict[str, Any]:
    """Settings of one of `GUIDANCE`, or of several joined by +.

    Raises:
      UserError: an unknown one.
    """
    parts = name.split("+")
    unknown = [part for part in parts if part not in GUIDANCE]
    if unknown:
        raise UserError(f"--variants={name}: {unknown[0]!r} is none of {', '.join(GUIDANCE)}; join several by +")
    return {path: value for part in parts for path, value in GUIDANCE[part].items()}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One run: a workdir of its own, whose first stages may be those of another run.

    Attributes:
      name: its folder under the output folder.
      settings: what differs from the config, by `group.name`.
      origin: the run that its stages before `first` are taken from; None where it trains all itself.
      first: the first stage that it trains itself.
    """

    name: str
    settings: Mapping[str, Any]
    origin: Experiment | None = None
    first: str = "translation"

    def config(self, config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
        """The config with this run's settings in place.

        Raises:
          UserError: a setting that makes no sense with the others.
        """
        varied = config.copy_and_resolve_references()
        for path, value in self.settings.items():
            group, name = path.split(".")
            varied[group][name] = value
        config_module.validate(varied)
        return varied


class Variants:
    """The runs of one seed; asking for the same one twice gives the same one.

    Args:
      config: what all runs have in common.
      seed: `train.seed` of the runs; the data and their splits stay those of the config.
    """

    def __init__(self, config: ml_collections.ConfigDict, seed: int):
        self._config = config
        self._seed = {"train.seed": seed}
        self._folder = f"seed{seed}"
        self.base = Experiment(f"{self._folder}/guided", {**self._seed, "guided.mode": "retrieved"})

    def triplets(self, strategy: str) -> Experiment:
        """A retrieval model trained on one of `TRIPLETS` (paper Table 1)."""
        if TRIPLETS[strategy] == tuple(self._config.retrieval.negatives):
            return self.base
        return self._after(self.base, f"triplets_{strategy}", "retrieval", {"retrieval.negatives": TRIPLETS[strategy]})

    def random_neighbors(self, base: Experiment | None = None) -> Experiment:
        """Guided by random images (paper Table 2)."""
        return self._changed(base, "random", {"guided.mode": "random"})

    def guided_by(self, variant: str, random: bool = False, base: Experiment | None = None) -> Experiment:
        """Guided in another way, see `guidance`; by random images, or by retrieved ones."""
        mode = "random" if random else "retrieved"
        name = variant.replace("+", "_") + "_random" * random
        return self._changed(base, name, {**guidance(variant), "guided.mode": mode})

    def continued(self, base: Experiment | None = None) -> Experiment:
        """The control: as many further updates of G and D as the guided stage makes, without neighbours (r = 0)."""
        return self._changed(base, "continued", {"guided.neighbors": 0, "guided.style": "prior"})

    def fraction(self, percent: int) -> Experiment:
        """Trained on a share of the labelled images, retrieving from all images (paper Table 3)."""
        if percent == 100:
            return self.base
        settings = {"data.fraction": percent / 100, "data.retrieval_source": "all"}
        return Experiment(f"{self._folder}/fraction{percent}", {**self.base.settings, **settings})

    def neighbors(self, count: int) -> Experiment:
        """Guided by another number of images (paper Table 4)."""
        if count == self._config.guided.neighbors:
            return self.base
        return self._after(self.base, f"neighbors{count}", "guided", {"guided.neighbors": count})

    def _changed(self, base: Experiment | None, name: str, settings: Mapping[str, Any]) -> Experiment:
        """Another guided stage after the first two of `base`."""
        base = base or self.base
        return self._after(
            base, name if base is self.base else f"{base.name.rpartition('/')[2]}_{name}", "guided", settings
        )

    def _after(self, origin: Experiment, name: str, first: str, settings: Mapping[str, Any]) -> Experiment:
        return Experiment(f"{self._folder}/{name}", {**origin.settings, **settings}, origin, first)


@dataclasses.dataclass(frozen=True)
class Job:
    """What is still to be done for one run.

    Attributes:
      experiment: the run.
      last: the last stage that is needed of it.
      evaluated: the stages whose figures a table shows.
    """

    experiment: Experiment
    last: str
    evaluated: tuple[str, ...]

    @property
    def trained(self) -> tuple[str, ...]:
        """The stages that this run trains itself."""
        return STAGES[STAGES.index(self.experiment.first) : STAGES.index(self.last) + 1]


def jobs(wanted: Iterable[tuple[Experiment, str]]) -> list[Job]:
    """The runs that give the wanted stages, each once, those that others start from before them.

    Args:
      wanted: (run, stage) pairs that the tables show.
    """
    last: dict[str, int] = {}
    evaluated: dict[str, set[str]] = {}
    order: dict[str, Experiment] = {}

    def need(experiment: Experiment, stage: int) -> None:
        if experiment.origin is not None:
            need(experiment.origin, STAGES.index(experiment.first) - 1)
        order.setdefault(experiment.name, experiment)
        last[experiment.name] = max(stage, last.get(experiment.name, 0))

    for experiment, stage in wanted:
        need(experiment, STAGES.index(stage))
        evaluated.setdefault(experiment.name, set()).add(stage)
    return [
        Job(
            experiment,
            STAGES[last[name]],
            tuple(stage for stage in STAGES if stage in evaluated.get(name, ())),
        )
        for name, experiment in order.items()
    ]
