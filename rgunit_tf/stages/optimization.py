"""The optimiser of the stages: AdamW on a cosine schedule, clipped by global norm, with averaged weights."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator, Sequence

import tensorflow as tf


class AdamW(tf.keras.optimizers.AdamW):
    """Keras' AdamW with TensorFlow's fused Adam kernel, and whose averages never overwrite the weights by themselves.

    One kernel a variable, instead of a dozen small ones, matters on a CPU, where the networks of small images are
    bound by the number of kernels.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """One Adam update of `variable` (Kingma and Ba 2015); weight decay is applied by the base class."""
        index = self._index_dict[self._var_key(variable)]
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(self.learning_rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=gradient,
        )

    def finalize_variable_values(self, var_list: Sequence[tf.Variable]) -> None:
        """Leaves the weights as they are: training may go on; `averaged` swaps the averages in where wanted."""


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
    )
    # The whole last part of the name: "scale" alone would exempt everything below `scale_discriminator`.
    optimizer.exclude_from_weight_decay(var_names=[r"(^|/)(bias|scale|shift)(/replica_\d+)?:\d+$"])
    return optimizer


def apply_clipped(
    optimizer: AdamW, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable], clip_norm: float
) -> tf.Tensor:
    """Sums gradients over replicas, clips them by their global norm and updates; returns the norm before clipping.

    Gradients must come from a loss already divided by the number of replicas, so that their sum is the gradient of
    the mean over the global batch.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync > 1:
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients))
    clipped, norm = tf.clip_by_global_norm(gradients, clip_norm)
    optimizer.apply_gradients(zip(clipped, variables, strict=True), skip_gradients_aggregation=True)
    return norm


@contextlib.contextmanager
def averaged(optimizer: AdamW, variables: Sequence[tf.Variable]) -> Iterator[None]:
    """Within the block `variables` hold their moving averages; afterwards their own values again."""
    own = [tf.identity(variable) for variable in variables]
    for variable in variables:
        index = optimizer._index_dict[optimizer._var_key(variable)]
        variable.assign(optimizer._model_variables_moving_average[index])
    try:
        yield
    finally:
        for variable, value in zip(variables, own, strict=True):
            variable.assign(value)
