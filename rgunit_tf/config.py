"""Every setting, with its default, its unit and what it means. Configs and flags override; `validate` checks.

A config file defines `get_config()`, which starts from `default_config()`; any setting can then be overridden on the
command line as `--config.group.name=value`.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ml_collections

from rgunit_tf.errors import UserError
from rgunit_tf.setting import Setting

STAGES = ("translation", "retrieval", "guided")
"""In the order in which they are trained; each needs the ones before it."""

FUSIONS = ("equation9", "attention")
"""Networks of `models/` that `guided.fusion` may name."""

STYLES = ("prior", "neighbors")
"""What `guided.style` may name."""

CONTENT_TARGETS = ("input", "fused")
"""What `guided.content_target` may name."""

NEGATIVES = ("easy", "medium", "hard_style", "hard_domain", "random", "hard_content")
"""Kinds of negatives that `retrieval.negatives` may name; `retrieval/triplets.py` says what they are."""


def _optimizer(steps: int, batch_size: int, learning_rate: float) -> dict[str, Setting]:
    """The settings that the three stages share."""
    return {
        "steps": Setting(steps, "training steps of this stage", low=1),
        "batch_size": Setting(batch_size, "images a step, over all devices together", low=1, high=1 << 16),
        "learning_rate": Setting(learning_rate, "peak learning rate of AdamW", low=0.0, high=1.0),
        "learning_rate_warmup": Setting(200, "steps over which the learning rate rises from 0", low=0),
        "final_learning_rate": Setting(
            0.01, "learning rate at the end of the cosine, as a share of the peak", low=0.0, high=1.0
        ),
        "weight_decay": Setting(1e-4, "AdamW's decoupled weight decay", low=0.0, high=1.0),
        "beta_1": Setting(0.5, "AdamW's decay of the first moment", low=0.0, high=0.9999),
        "beta_2": Setting(0.999, "AdamW's decay of the second moment", low=0.0, high=0.999999),
        "clip_norm": Setting(2.0, "global norm to which gradients are clipped", low=1e-6),
        "ema_momentum": Setting(
            0.999, "decay of the weight average used for samples and exports", low=0.0, high=0.99999
        ),
    }


_DISCRIMINATOR_RATE = Setting(1.0, "D's learning rate over that of the generator's side", low=0.0, high=100.0)

SETTINGS: dict[str, dict[str, Setting]] = {
    "data": {
        "source": Setting("avatars", "where images come from", choices=("avatars", "celeba", "folder", "tfrecord")),
        "root": Setting("", "folder of the images; `avatars` draws into it (empty: in the user's cache folder)"),
        "missing": Setting(
            "error",
            "`celeba`: what to do where images that the lists name are not there: stop, or use those that are",
            choices=("error", "skip"),
        ),
        "image_size": Setting(128, "side of the square images, pixels", low=8, high=2048),
        "attributes": Setting(
            ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young"),
            "attributes that define the domains; `folder` takes them from its folders",
        ),
        "groups": Setting((("Black_Hair", "Blond_Hair", "Brown_Hair"),), "attributes that exclude each other"),
        "num_images": Setting(4000, "images that `avatars` draws", low=20, high=10_000_000),
        "test_images": Setting(2000, "random test images where the data has no partition of its own", low=1),
        "validation_fraction": Setting(0.02, "share of the training images kept for validation", low=0.0, high=0.5),
        "fraction": Setting(
            1.0, "share of the training images that is used with labels (paper Table 3)", low=0.001, high=1.0
        ),
        "retrieval_source": Setting(
            "train",
            "images the gallery holds: `train` (the labelled ones), `all` (every training "
            "image, those without label too), a folder of unlabelled images, or one that bin/prepare wrote",
        ),
        "balance": Setting(
            False,
            "translation and guided: images and targets of each domain equally often, those of rare ones repeated",
        ),
        "flip": Setting(True, "mirror training images at random"),
        "crop": Setting(
            178,
            "centre crop of CelebA's 178x218 images before resizing, pixels, and of others the same share; 0: the "
            "largest square",
            low=0,
            high=1 << 16,
        ),
        "resize_margin": Setting(
            0.0, "training images are resized this share larger, then cropped at random", low=0.0, high=0.5
        ),
        "cache_mb": Setting(2048, "decoded images are held in memory up to this size, MiB", low=0, resumable=True),
        "seed": Setting(0, "seed of splits, of drawn avatars and of the shuffle", low=0),
    },
    "model": {
        "width": Setting(
            64, "channels of the first layer; the others are multiples (paper scale: 64)", low=1, high=4096
        ),
        "residual_blocks": Setting(
            4, "residual blocks of the content encoder and of the decoder each", low=1, high=256
        ),
        "style_dim": Setting(8, "style dimensions an attribute", low=1, high=4096),
        "content_normalization": Setting(
            "instance",
            "of the convolutions of Ec: `instance`, after which content has no colours, or `layer`, which keeps them",
            choices=("instance", "layer"),
        ),
        "mlp_width": Setting(256, "hidden units of the MLP that predicts AdaIN parameters", low=1, high=1 << 16),
        "discriminator_width": Setting(
            64, "channels of the discriminator's first layer; they double up to 8 times it", low=1, high=4096
        ),
        "discriminator_scales": Setting(2, "image scales the discriminator looks at", low=1, high=4),
        "discriminator_layers": Setting(5, "stride-2 convolutions of each discriminator", low=1, high=8),
        "discriminator": Setting(
            "convolutional",
            "D's body: convolutions of its own, or features of EfficientNet-Lite0, which stays as it is (`[imagenet]`; "
            "where that is not installed: convolutions); the other settings of D are those of `convolutional`",
            choices=("convolutional", "efficientnet"),
        ),
        "judge_values": Setting(
            False, "a D of convolutions says real or fake of each attribute's value too, as a projected one always does"
        ),
        "aligned": Setting(
            True,
            "a projected D tells an attribute's value by where in the picture it sees what, as of aligned faces; else "
            "by what it sees anywhere",
        ),
        "drawing": Setting(
            "picture",
            "what G draws where the mask is 1: the picture, or its difference from the input",
            choices=("picture", "change"),
        ),
        "colors": Setting(
            "rgb",
            "what G draws with: colours; one grey for the three channels; or grey if a sample of the training images "
            "is all grey, else colours",
            choices=("rgb", "grey", "auto"),
        ),
    },
    "loss": {
        "adversarial": Setting(1.0, "weight of Eq. 6-7", low=0.0),
        "hinge": Setting(False, "D's errors by the hinge (Lim and Ye 2017) in the place of Eq. 6-7's least squares"),
        "domain": Setting(1.0, "weight of the domain loss", low=0.0),
        "real_values": Setting(
            0.0,
            "weight of real/fake of each attribute's value, summed over attributes; needs `model.judge_values`",
            low=0.0,
        ),
        "content": Setting(1.0, "weight of content reconstruction, Eq. 2", low=0.0),
        "style": Setting(1.0, "weight of style reconstruction, Eq. 3", low=0.0),
        "reconstruction": Setting(10.0, "weight of image reconstruction, Eq. 4", low=0.0),
        "reconstruct_drawing": Setting(
            False,
            "Eq. 4 holds to the image all that G draws, not only what the mask lets through, so that it learns to draw",
        ),
        "cycle": Setting(10.0, "weight of cycle consistency, Eq. 5", low=0.0),
        "change": Setting(
            0.0,
            "weight of the mean difference between the translated image and its input, of what should stay",
            low=0.0,
        ),
        "final_change": Setting(
            1.0,
            "share of `change` that is left from six tenths of the translation stage on, and in the guided one",
            low=0.0,
            high=1.0,
        ),
        "halves": Setting(
            False,
            "one half of each batch is reconstructed (Eq. 4), the other goes there and back (Eq. 2 and 5), not all of "
            "it both; cheaper steps",
        ),
        "kl": Setting(0.1, "weight of the KL divergence to the style prior", low=0.0),
        "kl_warmup": Setting(1000, "steps over which the KL weight rises from 0", low=0),
        "gradient_penalty": Setting(
            0.0,
            "weight of the squared gradient of D's real/fake output at real images (R1, Mescheder et al. 2018)",
            low=0.0,
        ),
        "domain_gradient_penalty": Setting(0.0, "weight of the same penalty on D's domain logits, summed", low=0.0),
        "mask_warmup": Setting(1200, "steps during which the attention mask is held at 1", low=0),
        "augment": Setting(
            0.0, "how strongly what D sees is altered at random in brightness, colour and place", low=0.0, high=1.0
        ),
        "noise": Setting(
            0.0, "upper end of the deviation, drawn an image, of the noise on what D sees", low=0.0, high=1.0
        ),
        "final_noise": Setting(
            1.0,
            "share of `noise` that is left at the end of the translation stage, and in the guided one",
            low=0.0,
            high=1.0,
        ),
    },
    "translation": {
        **_optimizer(steps=100_000, batch_size=16, learning_rate=1e-4),
        "discriminator_rate": _DISCRIMINATOR_RATE,
    },
    "retrieval": {
        **_optimizer(steps=10_000, batch_size=64, learning_rate=1e-4),
        "embedding_dim": Setting(300, "dimensions of the embedding", low=2, high=1 << 16),
        "hidden": Setting(512, "units of the two hidden layers", low=1, high=1 << 16),
        "content_channels": Setting(32, "channels of the content after R's convolutions", low=1, high=4096),
        "dropout": Setting(0.1, "share of hidden units dropped in training", low=0.0, high=0.9),
        "margin": Setting(0.2, "m of the triplet loss, Eq. 8", low=1e-6),
        "negatives": Setting(
            ("easy", "medium", "hard_style", "hard_domain"),
            "negatives in use, of easy, medium, hard_style, hard_domain (paper §3.2), random, hard_content",
        ),
        "index": Setting("exact", "index of the gallery", choices=("exact", "scann")),
    },
    "guided": {
        **_optimizer(steps=30_000, batch_size=16, learning_rate=1e-4),
        "discriminator_rate": _DISCRIMINATOR_RATE,
        "neighbors": Setting(3, "retrieved images r of Eq. 9; 0 is the translation model", low=0, high=4096),
        "content_cache_mb": Setting(
            1024, "the gallery's contents are computed once as far as they fit into this, MiB", low=0, resumable=True
        ),
        "content_cache_dtype": Setting(
            "float32", "how cached contents are held: exactly, or rounded to float16", choices=("float32", "float16")
        ),
        "initial_share": Setting(
            0.0,
            "share of the neighbours in the fused content before training; 0 starts as exactly the translation model",
            low=0.0,
            high=1.0,
        ),
        "mode": Setting(
            "retrieved", "neighbours: the nearest ones, or random ones (paper Table 2)", choices=("retrieved", "random")
        ),
        "fusion": Setting(
            "equation9",
            "how contents are fused: place by place as in Eq. 9, or each position attends to all of all neighbours",
            choices=FUSIONS,
        ),
        "content_target": Setting(
            "input",
            "what Eq. 2 holds the content of the translated image to: that of the input, or the fused one",
            choices=CONTENT_TARGETS,
        ),
        "style": Setting(
            "prior",
            "styles that are translated to: those asked for, or of the images retrieved for them the nearest style "
            "(with mode `random`: of random images of the domain)",
            choices=STYLES,
        ),
    },
    "train": {
        "seed": Setting(0, "seed of the weights and of all noise", low=0),
        "deterministic": Setting(False, "bit-equal results on one machine, at some cost in speed"),
        "strategy": Setting(
            "auto",
            "devices: one, all of this machine's, or several machines by TF_CONFIG",
            choices=("auto", "one_device", "mirrored", "multi_worker"),
        ),
        "precision": Setting(
            "float32",
            "what the networks compute in; weights, losses, norms and optimisers are float32 always",
            choices=("float32", "mixed_bfloat16", "mixed_float16"),
        ),
        "tensor_float_32": Setting(
            True, "whether GPUs may round the factors of float32 products to TF32's 10 bits, which is much faster"
        ),
        "jit_compile": Setting(
            "auto",
            "whether XLA compiles the training steps: auto does so on one GPU, for what it has kernels",
            choices=("auto", "True", "False"),
            resumable=True,
        ),
        "steps_per_execution": Setting(
            1, "steps between two returns to Python; signals and faults are seen only there", low=1
        ),
        "on_nan": Setting(
            "stop",
            "after a loss or gradient that is not finite: stop, or go back to the last checkpoint and on with other "
            "random numbers, at most 3 times a stage",
            choices=("stop", "rollback"),
            resumable=True,
        ),
        "log_every": Setting(100, "steps between two lines of history.csv", low=1),
        "checkpoint_every": Setting(500, "steps between two checkpoints", low=1),
        "sample_every": Setting(1000, "steps between two image grids", low=1),
        "keep_checkpoints": Setting(3, "checkpoints kept a stage", low=1, resumable=True),
        "tensorboard": Setting(True, "write TensorBoard event files", resumable=True),
    },
}


def default_config() -> ml_collections.ConfigDict:
    """All settings at their defaults, grouped; types are locked, unknown names refused."""
    return ml_collections.ConfigDict(
        {group: {name: setting.default for name, setting in settings.items()} for group, settings in SETTINGS.items()}
    )


def nearest_name(path: str) -> str | None:
    """The known `group.name` that looks most like `path`."""
    known = [f"{group}.{name}" for group, settings in SETTINGS.items() for name in settings]
    near = difflib.get_close_matches(path, known, n=1, cutoff=0.4)
    return near[0] if near else None


def _check_names(config: ml_collections.ConfigDict) -> None:
    for group, settings in config.items():
        if group not in SETTINGS:
            near = difflib.get_close_matches(group, SETTINGS, n=1)
            raise UserError(
                f"config: unknown group {group!r}; "
                + (f"did you mean {near[0]}?" if near else f"known: {', '.join(SETTINGS)}")
            )
        if not isinstance(settings, ml_collections.ConfigDict):
            raise UserError(f"config.{group}={settings!r} must be the group of settings that default_config() has")
        for name in settings:
            if name not in SETTINGS[group]:
                near_name = nearest_name(f"{group}.{name}")
                raise UserError(
                    f"config.{group}.{name}: no such setting{f'; did you mean {near_name}?' if near_name else ''}"
                )


def validate(config: ml_collections.ConfigDict) -> None:
    """Checks every value and what must hold between them.

    Raises:
      UserError: names the first setting that is wrong and what it may be.
    """
    _check_names(config)
    for group, settings in SETTINGS.items():
        for name, setting in settings.items():
            problem = setting.problem(config[group][name])
            if problem:
                raise UserError(f"config.{group}.{name}={config[group][name]!r} {problem}")
    for check in _CONTRADICTIONS:
        check(config)


def _check_image_size(config: ml_collections.ConfigDict) -> None:
    size = config.data.image_size
    if size % 4:
        raise UserError(f"config.data.image_size={size} must be a multiple of 4, the stride of the content encoder")
    smallest = size >> (config.model.discriminator_scales - 1)
    if smallest < 8:
        raise UserError(
            f"config.model.discriminator_scales={config.model.discriminator_scales} leaves {smallest} pixels of "
            f"config.data.image_size={size}; use fewer scales or larger images"
        )


def _check_values(config: ml_collections.ConfigDict) -> None:
    if config.loss.real_values and not config.model.judge_values and config.model.discriminator == "convolutional":
        raise UserError(
            f"config.loss.real_values={config.loss.real_values} weighs what D says of values; give "
            "--config.model.judge_values=True"
        )


def _check_negatives(config: ml_collections.ConfigDict) -> None:
    negatives = tuple(config.retrieval.negatives)
    if not negatives or any(name not in NEGATIVES for name in negatives):
        raise UserError(f"config.retrieval.negatives={negatives} must be one or more of {', '.join(NEGATIVES)}")
    if len(set(negatives)) != len(negatives):
        raise UserError(f"config.retrieval.negatives={negatives} must name each kind once")


def _check_guidance(config: ml_collections.ConfigDict) -> None:
    guided = config.guided
    if guided.initial_share and guided.fusion != "equation9":
        raise UserError(
            f"config.guided.initial_share={guided.initial_share} is of --config.guided.fusion=equation9 alone; leave "
            "it at 0"
        )
    if guided.style == "neighbors" and not guided.neighbors:
        raise UserError("config.guided.style=neighbors needs some; give --config.guided.neighbors=3, or style=prior")


def _check_schema(config: ml_collections.ConfigDict) -> None:
    from rgunit_tf.domains import AttributeSchema

    if config.data.source not in ("avatars", "celeba"):
        return
    attributes, groups = config.data.attributes, config.data.groups
    if not all(isinstance(name, str) for name in attributes):
        raise UserError(f"config.data.attributes={attributes!r} must be names joined by commas")
    if not all(
        isinstance(group, list | tuple) and group and all(isinstance(name, str) for name in group) for group in groups
    ):
        raise UserError(f'config.data.groups={groups!r} must be groups of names, as in (("Black_Hair","Blond_Hair"),)')
    try:
        AttributeSchema(attributes)
    except UserError as error:
        raise UserError(f"config.data.{error}") from None
    try:
        AttributeSchema(attributes, groups)
    except UserError as error:
        raise UserError(f"config.data.groups: {error}; config.data.groups has to fit config.data.attributes") from None


_CONTRADICTIONS: tuple[Callable[[ml_collections.ConfigDict], None], ...] = (
    _check_image_size,
    _check_values,
    _check_negatives,
    _check_guidance,
    _check_schema,
)


class Difference(NamedTuple):
    """A setting in which two configs differ."""

    group: str
    name: str
    left: Any
    right: Any

    def __str__(self) -> str:
        return f"{self.group}.{self.name}: {self.left} != {self.right}"


def differences(left: dict[str, Any], right: dict[str, Any]) -> list[Difference]:
    """The settings in which two plain config dicts differ."""
    found = []
    for group in sorted(set(left) | set(right)):
        mine, other = left.get(group, {}), right.get(group, {})
        for name in sorted(set(mine) | set(other)):
            if mine.get(name) != other.get(name):
                found.append(Difference(group, name, mine.get(name), other.get(name)))
    return found


def is_resumable(group: str, name: str) -> bool:
    """Whether a run may go on with another value of a setting, since it changes no result."""
    setting = SETTINGS.get(group, {}).get(name)
    return setting is not None and setting.resumable


def to_plain(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The config as JSON-ready dicts and lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, ml_collections.ConfigDict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value

    return plain(config)


def group_settings(group: str, overrides: Mapping[str, Any] | None = None) -> types.SimpleNamespace:
    """The settings of one group as attributes: the defaults with `overrides` in place.

    Raises:
      UserError: an override that is no setting of the group, or out of its range.
    """
    overrides = dict(overrides or {})
    for name, value in overrides.items():
        if name not in SETTINGS[group]:
            near = nearest_name(f"{group}.{name}")
            raise UserError(f"{group}.{name}: no such setting{f'; did you mean {near}?' if near else ''}")
        problem = SETTINGS[group][name].problem(value)
        if problem:
            raise UserError(f"{group}.{name}={value!r} {problem}")
    return types.SimpleNamespace(**{name: overrides.get(name, s.default) for name, s in SETTINGS[group].items()})
