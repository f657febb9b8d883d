"""The optimiser of the stages: AdamW on a cosine schedule, clipped by global norm, with averaged weights."""

from __future__ import annotations

import contextlib
import re
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from rgunit_tf.stages.precision import LossScale

# Of what has such a name no share is taken away. The whole last part: "scale" alone would exempt everything below
# `scale_discriminator`.
_NOT_DECAYED = re.compile(r"(^|/)(bias|scale|shift)(/replica_\d+)?:\d+$")


class AdamW(tf.keras.optimizers.Optimizer):
    """AdamW (Loshchilov and Hutter 2019) by TensorFlow's fused Adam kernel, with averages of the weights beside them.

    One kernel a variable, instead of a dozen small ones, matters on a CPU, where the networks of small images are
    bound by the number of kernels. Nothing of Keras' optimiser is overridden but what is documented, and each replica
    updates its own copies, by gradients that are the same on all.

    Args:
      learning_rate: a number, or a schedule: number of updates so far -> learning rate.
      weight_decay: times the learning rate, the share of a weight that an update takes away; biases and the scales and
        shifts of normalisations are spared.
      beta_1: decay of the first moment.
      beta_2: decay of the second moment.
      average: whether to keep exponential moving averages of the weights. They never overwrite the weights by
        themselves: training goes on from the raw ones.
      ema_momentum: decay of the averages.
      epsilon: added to the root of the second moment.
    """

    share: float = 1.0
    """Of the learning rate of its stage; see `make_optimizer`."""

    gate: tf.Tensor | None = None
    """Bool scalar; where it is False an update changes nothing, moments, averages and the count of updates included.

    It acts through the scalars of the update (learning rate 0, decays 1), so that a device need not wait for it; the
    gradients must then be 0.
    """

    def __init__(
        self,
        learning_rate: float | Callable[[tf.Tensor], tf.Tensor],
        weight_decay: float = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        average: bool = False,
        ema_momentum: float = 0.99,
        epsilon: float = 1e-7,
    ):
        super().__init__(name="AdamW", jit_compile=False)
        self.schedule = learning_rate
        self.weight_decay, self.beta_1, self.beta_2, self.epsilon = weight_decay, beta_1, beta_2, epsilon
        self.average, self.ema_momentum = average, ema_momentum

    @property
    def learning_rate(self) -> tf.Tensor | float:
        """Of the next update."""
        return self.schedule(self.iterations) if callable(self.schedule) else self.schedule

    def build(self, var_list: Sequence[tf.Variable]) -> None:
        """Makes the averages and the moments of variables, once.

        Their order and the names of the lists are those of Keras' AdamW, whose checkpoints are read therefore.
        """
        super().build(var_list)
        if hasattr(self, "_momentums"):
            return
        self._index = {variable.ref(): index for index, variable in enumerate(var_list)}
        if self.average:
            self._model_variables_moving_average = [
                self.add_variable_from_reference(variable, "average", initial_value=variable) for variable in var_list
            ]
        moments = [[self.add_variable_from_reference(variable, name) for name in "mv"] for variable in var_list]
        self._momentums, self._velocities = [first for first, _ in moments], [second for _, second in moments]

    def moments_of(self, variable: tf.Variable) -> tuple[tf.Variable, tf.Variable]:
        """The moving averages of a variable's gradients and of their squares."""
        index = self._index[variable.ref()]
        return self._momentums[index], self._velocities[index]

    def average_of(self, variable: tf.Variable) -> tf.Variable:
        """The moving average of a variable."""
        return self._model_variables_moving_average[self._index[variable.ref()]]

    def decays(self, variable: tf.Variable) -> bool:
        """Whether weight decay acts on a variable."""
        return bool(self.weight_decay) and not _NOT_DECAYED.search(variable.name)

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]],
        name: str | None = None,
        skip_gradients_aggregation: bool = False,
        **kwargs: Any,
    ) -> tf.Tensor:
        """One update of float32 variables: decoupled weight decay, Adam (Kingma and Ba 2015), then the averages.

        Args:
          grads_and_vars: gradients, each with its variable.
          name: unused.
          skip_gradients_aggregation: whether the gradients are summed over the replicas already.
          **kwargs: unused.

        Returns:
          The number of updates so far.
        """
        pairs = list(grads_and_vars)
        if not skip_gradients_aggregation:
            pairs = self.aggregate_gradients(pairs)
        self.build([variable for _, variable in pairs])
        scalars, new = self._scalars(), self._gated(1 - self.ema_momentum, 0.0)
        for gradient, variable in pairs:
            self.update_step(gradient, variable, scalars)
            if self.average:
                average = self.average_of(variable)
                _subtract(average, new, average - variable)
        # Keras adds 1 whatever happens, even where a step fails for want of data.
        return self.iterations.assign_add(1 if self.gate is None else tf.cast(self.gate, self.iterations.dtype))

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, scalars: dict[str, tf.Tensor] | None = None
    ) -> None:
        """The part of `apply_gradients` that concerns one variable, but for its average."""
        scalars = scalars or self._scalars()
        if self.decays(variable):
            share = variable * (self.weight_decay * scalars["lr"])
            tf.raw_ops.AssignSubVariableOp(resource=variable.handle, value=share)
        first, second = self.moments_of(variable)
        tf.raw_ops.ResourceApplyAdam(var=variable.handle, m=first.handle, v=second.handle, grad=gradient, **scalars)

    def _gated(self, value: tf.Tensor | float, still: float) -> tf.Tensor | float:
        return value if self.gate is None else tf.where(self.gate, value, still)

    def _scalars(self) -> dict[str, tf.Tensor]:
        """What the updates of all variables in one step have in common, float32, by the kernel's names."""
        step = tf.cast(self.iterations + 1, tf.float32)
        return {
            "beta1_power": tf.pow(tf.cast(self.beta_1, tf.float32), step),
            "beta2_power": tf.pow(tf.cast(self.beta_2, tf.float32), step),
            "lr": self._gated(tf.cast(self.learning_rate, tf.float32), 0.0),
            "beta1": self._gated(tf.cast(self.beta_1, tf.float32), 1.0),
            "beta2": self._gated(tf.cast(self.beta_2, tf.float32), 1.0),
            "epsilon": tf.cast(self.epsilon, tf.float32),
        }


def _subtract(variable: tf.Variable, factor: tf.Tensor | float, delta: tf.Tensor) -> None:
    """`variable -= factor * delta` in one kernel, in place; `delta` must not be the variable, which would be copied."""
    tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=tf.cast(factor, tf.float32), delta=delta)


def make_optimizer(settings: types.SimpleNamespace, average: bool, share: float = 1.0) -> AdamW:
    """AdamW with the settings of a stage.

    Args:
      settings: steps, learning_rate, learning_rate_warmup, final_learning_rate, weight_decay, beta_1, beta_2 and
        ema_momentum, as in `config.SETTINGS["translation"]`.
      average: keep an exponential moving average of the weights.
      share: of the learning rate.
    """
    optimizer = AdamW(0.0, settings.weight_decay, settings.beta_1, settings.beta_2, average)
    optimizer.share = share
    reschedule(optimizer, settings)
    return optimizer


def reschedule(optimizer: AdamW, settings: types.SimpleNamespace) -> None:
    """Gives an optimiser of `make_optimizer` the learning rates and the averaging of other settings."""
    warmup, rate = min(settings.learning_rate_warmup, settings.steps // 10), settings.learning_rate * optimizer.share
    optimizer.schedule = tf.keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else rate,
        decay_steps=max(1, settings.steps - warmup),
        alpha=settings.final_learning_rate,
        warmup_target=rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer.ema_momentum = settings.ema_momentum


class Update(NamedTuple):
    """What one optimiser does in a step.

    Attributes:
      optimizer: an `AdamW`, or another whose update by a gradient of 0 changes nothing.
      loss: float32 scalar, divided by the number of replicas.
      gradients: of `loss`, one a variable.
      variables: what is updated.
    """

    optimizer: tf.keras.optimizers.Optimizer
    loss: tf.Tensor
    gradients: Sequence[tf.Tensor]
    variables: Sequence[tf.Variable]


def apply_clipped(
    updates: Sequence[Update], clip_norm: float, applied: tf.Variable, loss_scale: LossScale | None = None
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Sums gradients over replicas, clips those of each update by their global norm, and applies all or none of them.

    None is applied where a loss or a norm is not finite, and none after that: the state stays that of the last good
    step until `applied` is set to 1 again. No device waits for the verdict.

    Args:
      updates: of one step.
      clip_norm: largest global norm.
      applied: float32 scalar variable, 1 as long as updates are applied; set to 0 here.
      loss_scale: what the losses were multiplied by, if anything; where the gradients overflow because of it, this
        step alone is left out.

    Returns:
      The norm of each update's gradients before clipping, and whether the updates were applied, a bool scalar; the
      same on every replica.
    """
    gradients, losses = [list(update.gradients) for update in updates], [update.loss for update in updates]
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync > 1:
        gradients, losses = context.all_reduce(tf.distribute.ReduceOp.SUM, (gradients, losses))
    norms = [tf.linalg.global_norm(each) for each in gradients]
    finite = tf.math.is_finite(tf.add_n([*norms, *losses]))
    factor = 1.0
    if loss_scale is not None:
        factor = 1.0 / loss_scale.value
        norms = [factor * norm for norm in norms]
    faulty = ~finite if loss_scale is None else loss_scale.update(finite)
    applied.assign_sub(applied * tf.cast(faulty, tf.float32))
    gate = finite & (applied > 0.5)
    for update, each, norm in zip(updates, gradients, norms, strict=True):
        clip = clip_norm * tf.minimum(1.0 / norm, 1.0 / tf.constant(clip_norm))
        scale = tf.where(gate, clip if loss_scale is None else factor * clip, 0.0)
        # 0 times NaN is 0 here.
        clipped = [tf.math.multiply_no_nan(gradient, scale) for gradient in each]
        update.optimizer.gate = gate
        update.optimizer.apply_gradients(zip(clipped, update.variables, strict=True), skip_gradients_aggregation=True)
        update.optimizer.gate = None
    return norms, gate


@contextlib.contextmanager
def averaged(optimizer: AdamW, variables: Sequence[tf.Variable]) -> Iterator[None]:
    """Within the block `variables` hold their moving averages; afterwards their own values again."""
    own = [tf.identity(variable) for variable in variables]
    take_averages(optimizer, variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, own, strict=True):
            variable.assign(value)


def take_averages(optimizer: AdamW, variables: Sequence[tf.Variable]) -> None:
    """Gives `variables` the values of their moving averages."""
    for variable in variables:
        variable.assign(optimizer.average_of(variable))
