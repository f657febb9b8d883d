"""The GMM prior against tensorflow-probability."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from rgunit_tf.models.style_prior import StylePrior

tfd = tfp.distributions
LABELS = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]], np.float32)


@pytest.fixture
def prior():
    return StylePrior(3, dim=2)


def component(label):
    mean = np.repeat(2 * label - 1, 2).astype(np.float32)
    return tfd.MultivariateNormalDiag(mean, scale_diag=np.full(6, 0.5, np.float32))


def test_mean_is_1_in_the_blocks_of_the_attributes_that_hold(prior):
    np.testing.assert_array_equal(prior.mean(LABELS[:2]), [[1, 1, -1, -1, -1, -1], [-1, -1, 1, 1, 1, 1]])
    assert prior.style_dim == 6
    assert StylePrior(5).style_dim == 40


def test_moments_of_samples(prior):
    noise = tf.random.stateless_normal((20_000, 6), [1, 2])
    styles = prior.sample(np.repeat(LABELS[1:2], 20_000, 0), noise).numpy()
    np.testing.assert_allclose(styles.mean(0), [-1, -1, 1, 1, 1, 1], atol=0.02)
    np.testing.assert_allclose(np.cov(styles.T), 0.25 * np.eye(6), atol=0.015)


def test_kl_to_the_component(prior):
    random = np.random.default_rng(0)
    mean, log_variance = (random.normal(size=(3, 6)).astype(np.float32) for _ in range(2))
    posterior = [tfd.MultivariateNormalDiag(m, np.exp(0.5 * v)) for m, v in zip(mean, log_variance, strict=True)]
    expected = [tfd.kl_divergence(p, component(label)) for p, label in zip(posterior, LABELS, strict=True)]
    np.testing.assert_allclose(prior.kl(mean, log_variance, LABELS), expected, rtol=1e-5)


def test_kl_is_0_where_the_posterior_is_the_component(prior):
    log_variance = np.full((3, 6), np.log(0.25), np.float32)
    np.testing.assert_allclose(prior.kl(prior.mean(LABELS), log_variance, LABELS), np.zeros(3), atol=1e-6)
