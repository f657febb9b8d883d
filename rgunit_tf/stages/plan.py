"""Settings of a training in a script: what `compile` takes, and what follows from the steps that a `fit` will make."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from rgunit_tf import config as settings_module
from rgunit_tf.errors import UserError

_REFUSED = ("loss", "metrics", "weighted_metrics", "loss_weights")
WARM_UPS = {"kl_warmup": 4, "mask_warmup": 4}
"""Settings of `loss` in steps, and the share of a fit, one over so many, that they may take."""

_AVERAGED = 10


def settings_of(stage: str, argument: str, given: Any, group: str) -> types.SimpleNamespace:
    """The settings that an argument of `compile` gives.

    Raises:
      UserError: it is not a mapping of settings: Keras' optimisers and losses have no place in a stage.
    """
    if given is not None and not hasattr(given, "keys"):
        own, example = {
            "optimizer": ("an AdamW of its own, whose averaged weights are what it exports", {"learning_rate": 1e-4}),
            "loss": ("losses of its own", {"cycle": 10.0}),
        }[argument]
        raise UserError(
            f"compile({argument}={_shown(given)}): a {stage} model has {own}; leave it out, or give settings of "
            f"config.SETTINGS[{group!r}], such as {example}"
        )
    return settings_module.group_settings(group, given)


def check_compile(stage: str, given: dict[str, Any]) -> None:
    """Checks what else `compile` was given.

    Raises:
      UserError: metrics and the like, which would be left out without a word.
    """
    for name in _REFUSED:
        if given.get(name) is not None:
            what = f"compile({name}={_shown(given[name])})"
            raise UserError(f"{what}: a {stage} model has losses of its own, whose terms it reports; leave it out")


def check_callbacks(stage: str, callbacks: Sequence[tf.keras.callbacks.Callback], keras_format: bool) -> None:
    """Checks what is to be called back.

    Raises:
      UserError: a callback that would save the whole model, where Keras cannot.
    """
    for callback in callbacks:
        whole = isinstance(callback, tf.keras.callbacks.ModelCheckpoint) and not callback.save_weights_only
        if whole and not (keras_format and str(callback.filepath).endswith(".keras")):
            raise UserError(
                f"ModelCheckpoint({str(callback.filepath)!r}): a {stage} model is more than Keras would save; "
                "give it 'name.weights.h5' and save_weights_only=True"
            )


def for_steps(
    optimizer: types.SimpleNamespace, loss: types.SimpleNamespace | None, given: set[str], steps: int
) -> tuple[types.SimpleNamespace, types.SimpleNamespace | None]:
    """The settings of a training of so many steps, where `compile` left them open.

    The learning rate falls over all of them, weights are averaged over a tenth of them, and a warm-up takes a quarter
    at most.

    Args:
      optimizer: settings of the stage.
      loss: settings of the losses, if it has such.
      given: names of the settings that `compile` was given; they stay.
      steps: in all.
    """
    momentum = min(optimizer.ema_momentum, max(0.0, 1.0 - _AVERAGED / steps))
    found = {"steps": steps, **({} if "ema_momentum" in given else {"ema_momentum": momentum})}
    optimizer = types.SimpleNamespace(**{**vars(optimizer), **found})
    if loss is not None:
        shorter = {
            name: min(getattr(loss, name), steps // share) for name, share in WARM_UPS.items() if name not in given
        }
        loss = types.SimpleNamespace(**{**vars(loss), **shorter})
    return optimizer, loss


def _shown(given: Any) -> str:
    return given if isinstance(given, str) else type(given).__name__
