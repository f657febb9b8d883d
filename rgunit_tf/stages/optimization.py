"""The optimiser of the stages: AdamW on a cosine schedule, clipped by global norm, with averaged weights."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from rgunit_tf.stages.precision import LossScale


class AdamW(tf.keras.optimizers.AdamW):
    """Keras' AdamW with TensorFlow's fused Adam kernel, and whose averages never overwrite the weights by themselves.

    One kernel a variable, instead of a dozen small ones, matters on a CPU, where the networks of small images are
    bound by the number of kernels.
    """

    gate: tf.Tensor | None = None
    """Bool scalar; where it is False an update changes nothing, moments, averages and the count of updates included.

    It acts through the scalars of the update (learning rate 0, decays 1), so that a device need not wait for it; the
    gradients must then be 0.
    """

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

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, scalars: dict[str, tf.Tensor] | None = None
    ) -> None:
        """One update of a float32 `variable`: decoupled weight decay, then Adam (Kingma and Ba 2015)."""
        scalars = scalars or self._scalars()
        index = self._index_dict[self._var_key(variable)]
        if self._use_weight_decay(variable):
            variable.assign_sub(variable * (self.weight_decay * scalars["lr"]))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            grad=gradient,
            **scalars,
        )

    def _apply_weight_decay(self, variables: Sequence[tf.Variable]) -> None:
        """Nothing: `update_step` does it."""

    def _update_model_variables_moving_average(self, var_list: Sequence[tf.Variable]) -> None:
        new = self._gated(1 - self.ema_momentum, 0.0)

        def update(average: tf.Variable, variable: tf.Variable) -> None:
            _subtract(average, new, average - variable)

        for variable in var_list:
            average = self._model_variables_moving_average[self._index_dict[self._var_key(variable)]]
            self._distribution_strategy.extended.update(average, update, args=(variable,), group=False)

    def _distributed_apply_gradients_fn(self, distribution, grads_and_vars, **kwargs):
        scalars = self._scalars()

        def update(variable: tf.Variable, gradient: tf.Tensor) -> None:
            self.update_step(gradient, variable, scalars)

        for gradient, variable in grads_and_vars:
            distribution.extended.update(variable, update, args=(gradient,), group=False)
        if self.use_ema:
            self._update_model_variables_moving_average([variable for _, variable in grads_and_vars])
        # Keras adds 1 whatever happens, even where a step fails for want of data.
        return self.iterations.assign_add(1 if self.gate is None else tf.cast(self.gate, self.iterations.dtype))

    def finalize_variable_values(self, var_list: Sequence[tf.Variable]) -> None:
        """Leaves the weights as they are: training may go on; `averaged` swaps the averages in where wanted."""


def _subtract(variable: tf.Variable, factor: tf.Tensor | float, delta: tf.Tensor) -> None:
    """`variable -= factor * delta` in one kernel, in place; `delta` must not be the variable, which would be copied."""
    tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=tf.cast(factor, tf.float32), delta=delta)


def make_optimizer(settings: types.SimpleNamespace, average: bool) -> AdamW:
    """AdamW with the settings of a stage.

    Args:
      settings: steps, learning_rate, learning_rate_warmup, final_learning_rate, weight_decay, beta_1, beta_2 and
        ema_momentum, as in `config.SETTINGS["translation"]`.
      average: keep an exponential moving average of the weights.
    """
    warmup = min(settings.learning_rate_warmup, settings.steps // 10)
    schedule = tf.keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else settings.learning_rate,
        decay_steps=max(1, settings.steps - warmup),
        alpha=settings.final_learning_rate,
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = AdamW(
        schedule,
        weight_decay=settings.weight_decay,
        beta_1=settings.beta_1,
        beta_2=settings.beta_2,
        use_ema=average,
        ema_momentum=settings.ema_momentum,
        ema_overwrite_frequency=None,
        # Where there is a GPU Keras would compile each update by itself, which the fused kernel does without, and which
        # could not see the gate.
        jit_compile=False,
    )
    # The whole last part of the name: "scale" alone would exempt everything below `scale_discriminator`.
    optimizer.exclude_from_weight_decay(var_names=[r"(^|/)(bias|scale|shift)(/replica_\d+)?:\d+$"])
    return optimizer


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
        index = optimizer._index_dict[optimizer._var_key(variable)]
        variable.assign(optimizer._model_variables_moving_average[index])
