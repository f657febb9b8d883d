import numpy as np
import pytest
from PIL import Image

from rgunit_tf.inference import paste
from rgunit_tf.inference.frames import Frame

SIZE = 16


def noise(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def small(photograph, frame):
    left, upper, right, lower = frame.region
    square = np.zeros((SIZE, SIZE, 3), np.uint8)
    shown = photograph.crop(frame.box).resize((right - left, lower - upper), Image.Resampling.BICUBIC)
    square[upper:lower, left:right] = np.asarray(shown)
    return square


CROP = Frame((120, 80), (20, 0, 100, 80), (0, 0, SIZE, SIZE))
WHOLE = Frame((120, 60), (0, 0, 120, 60), (0, 4, SIZE, 12))


@pytest.mark.parametrize("frame", [CROP, WHOLE])
def test_without_a_change_the_photograph_stays(frame):
    photograph = noise(*frame.size)
    square = small(photograph, frame)
    pasted = paste.paste_back(photograph, square, square, np.zeros((SIZE, SIZE, 1), np.float32), frame)
    np.testing.assert_array_equal(pasted, photograph)


def test_outside_of_the_square_and_where_the_mask_is_off_nothing_changes():
    photograph = noise(*CROP.size)
    square = small(photograph, CROP)
    mask = np.zeros((SIZE, SIZE, 1), np.float32)
    mask[:, SIZE // 2 :] = 1.0
    result = np.where(mask > 0, 255 - square, square).astype(np.uint8)
    pasted = np.asarray(paste.paste_back(photograph, square, result, mask, CROP))
    changed = (pasted != np.asarray(photograph)).any(-1)
    # The right half of the square begins at column 60; bicubic enlargement reaches two small pixels of 5 further.
    assert not changed[:, :49].any() and not changed[:, 100:].any()
    assert changed[:, 66:90].mean() > 0.95


def test_what_is_drawn_over_wholly_has_no_detail_left():
    photograph = noise(*CROP.size)
    square = small(photograph, CROP)
    result = np.full((SIZE, SIZE, 3), (200, 100, 50), np.uint8)
    pasted = np.asarray(paste.paste_back(photograph, square, result, np.ones((SIZE, SIZE, 1), np.float32), CROP))
    inner = pasted[:, 30:90]
    assert np.abs(inner.astype(int) - (200, 100, 50)).max() <= 1
    # No seam: the result fades out towards left and right, but not at the photograph's own upper and lower edge.
    assert np.abs(pasted[:, 20].astype(int) - np.asarray(photograph)[:, 20]).max() <= 8


def test_detail_stays_in_proportion_where_the_mask_is_half_on():
    photograph = noise(*CROP.size)
    square = small(photograph, CROP)
    drawn = np.full((SIZE, SIZE, 3), 128, np.uint8)
    result = np.rint(0.5 * drawn + 0.5 * square).astype(np.uint8)
    pasted = np.asarray(paste.paste_back(photograph, square, result, np.full((SIZE, SIZE, 1), 0.5), CROP))
    expected = 0.5 * 128 + 0.5 * np.asarray(photograph, np.float32)
    assert np.abs(pasted - expected)[:, 30:90].max() <= 2


def test_alpha_stays_and_what_is_seen_changes_as_without_it():
    """Over white the result is the one that the picture laid over white would have given."""
    photograph = noise(*CROP.size)
    across = np.linspace(0, 255, CROP.size[0]).astype(np.uint8)
    alpha = np.repeat(across[None], CROP.size[1], 0)
    alpha[:20] = 255
    photograph.putalpha(Image.fromarray(alpha))
    seen = Image.alpha_composite(Image.new("RGBA", CROP.size, "white"), photograph).convert("RGB")
    square = small(seen, CROP)
    result = np.clip(square.astype(int) - 20, 0, 255).astype(np.uint8)
    for mask, shown in ((np.zeros((SIZE, SIZE, 1), np.float32), square), (np.full((SIZE, SIZE, 1), 0.2), result)):
        pasted = paste.paste_back(photograph, square, shown, mask, CROP)
        assert pasted.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(pasted)[..., 3], alpha)
        if shown is square and not mask.any():
            np.testing.assert_array_equal(np.asarray(pasted), np.asarray(photograph))
            continue
        over = Image.alpha_composite(Image.new("RGBA", CROP.size, "white"), pasted).convert("RGB")
        expected = paste.paste_back(seen, square, shown, mask, CROP)
        difference = np.abs(np.asarray(over).astype(int) - np.asarray(expected))
        # Where little shines through, colours end at black or white before the change is made whole.
        assert difference[:, 60:].mean() < 3 and difference[:20].max() <= 1
        assert (np.asarray(pasted)[:20, 30:90] != np.asarray(photograph)[:20, 30:90]).any()


def test_bands_do_not_show(monkeypatch):
    frame = Frame((300, 240), (30, 0, 270, 240), (0, 0, SIZE, SIZE))
    photograph = noise(*frame.size)
    square, result = small(photograph, frame), np.asarray(noise(SIZE, SIZE, 1))
    mask = np.random.default_rng(2).uniform(size=(SIZE, SIZE, 1)).astype(np.float32)
    once = np.asarray(paste.paste_back(photograph, square, result, mask, frame)).astype(int)
    monkeypatch.setattr(paste, "_BAND", 7)
    banded = np.asarray(paste.paste_back(photograph, square, result, mask, frame)).astype(int)
    assert np.abs(once - banded).max() <= 1
