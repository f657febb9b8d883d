import numpy as np
import tensorflow as tf

from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals, mean_absolute_difference, structural_similarity


def images(count=3, size=24, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def ssim_by_numpy(a, b):
    """Wang et al. 2004 with a Gaussian window of 11 and sigma 1.5, valid positions, mean over channels."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(window, window) / np.outer(window, window).sum()
    a, b = a.astype(np.float64), b.astype(np.float64)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            for channel in range(3):
                p, q = a[y : y + 11, x : x + 11, channel], b[y : y + 11, x : x + 11, channel]
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq = (window * p * p).sum() - mp**2, (window * q * q).sum() - mq**2
                cov = (window * p * q).sum() - mp * mq
                values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return np.mean(values)


def test_l1_by_hand():
    a = np.zeros((2, 4, 4, 3), np.uint8)
    b = a.copy()
    b[0] += 10
    b[1, :2] = 255
    np.testing.assert_allclose(mean_absolute_difference(a, b), [10.0, 127.5])
    np.testing.assert_allclose(mean_absolute_difference(b, a), [10.0, 127.5])


def test_ssim_equals_the_formula():
    a = images()
    b = np.clip(a + np.random.default_rng(1).normal(0, 40, a.shape), 0, 255).astype(np.uint8)
    expected = [ssim_by_numpy(x, y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(structural_similarity(a, b), expected, atol=1e-3)


def test_ssim_of_equal_images_is_one_and_falls_with_noise():
    a = tf.image.resize(images(), (24, 24)).numpy().astype(np.uint8)
    noise = np.random.default_rng(1).normal(size=a.shape)
    noisy = [np.clip(a + level * noise, 0, 255).astype(np.uint8) for level in (0, 10, 40, 160)]
    values = [structural_similarity(a, b).mean() for b in noisy]
    assert values[0] == 1.0 and values == sorted(values, reverse=True)
    assert structural_similarity(a[:, :8, :8], a[:, :8, :8]).tolist() == [1.0] * 3


def test_drawn_once_then_read_from_the_folder(tmp_path):
    calls = []

    def draw(ids, labels):
        calls.append(len(ids))
        return np.stack(
            [np.full((4, 4, 3), int(label.sum() * 10 + int(i)), np.uint8) for i, label in zip(ids, labels, strict=True)]
        )

    ids, labels = np.array(["1", "2", "3"]), np.eye(3, dtype=np.float32)
    source = Counterfactuals(draw, tmp_path, block=2)
    first = source.images(ids, labels)
    assert calls == [2, 1] and [image[0, 0, 0] for image in first] == [11, 12, 13]
    np.testing.assert_array_equal(Counterfactuals(draw, tmp_path).images(ids, labels), first)
    assert calls == [2, 1]
    source.images(ids, 1 - labels)
    assert calls == [2, 1, 2, 1], "other labels are other pictures"
    np.testing.assert_array_equal(Counterfactuals(draw).images(ids, labels), first)
