import numpy as np

from rgunit_tf.evaluation.metrics import pixel_change

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
GREY = IMAGES[..., :1].repeat(3, axis=-1)


def test_colour_by_hand():
    wanted = [np.mean([abs(int(r) - int(g)) + abs(int(g) - int(b)) for r, g, b in i.reshape(-1, 3)]) for i in IMAGES]
    np.testing.assert_allclose(pixel_change.colorfulness(IMAGES), wanted)
    np.testing.assert_array_equal(pixel_change.colorfulness(GREY), 0)
    np.testing.assert_allclose(pixel_change.color_shift(IMAGES, GREY), wanted)
    np.testing.assert_allclose(pixel_change.color_shift(GREY, IMAGES), np.negative(wanted))


def test_a_tint_shows_where_brightness_does_not():
    tinted = GREY.astype(int) // 2 + np.array([10, 0, 0])
    np.testing.assert_allclose(pixel_change.color_shift(tinted.astype(np.uint8), GREY), 10)
    np.testing.assert_allclose(pixel_change.color_shift(GREY // 2, GREY), 0)


def test_change_under_the_mask():
    outputs = GREY.copy()
    outputs[:, :4] = 255 - outputs[:, :4]
    masks = np.zeros((3, 8, 8, 1))
    masks[:, :4] = 1
    inside, everywhere = pixel_change.change_inside_mask(outputs, GREY, masks)
    np.testing.assert_allclose(inside, everywhere)
    np.testing.assert_allclose(everywhere, np.abs(outputs.astype(float) - GREY).mean((1, 2, 3)))
    outside, _ = pixel_change.change_inside_mask(outputs, GREY, 1 - masks)
    np.testing.assert_allclose(outside, 0)
    half, _ = pixel_change.change_inside_mask(outputs, GREY, np.full_like(masks, 0.5))
    np.testing.assert_allclose(half, everywhere / 2)
