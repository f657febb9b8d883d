"""Puts a translated square back into the full-size photograph, through the attention mask."""

from __future__ import annotations

import numpy as np
from PIL import Image

from rgunit_tf.data import decoding
from rgunit_tf.inference.frames import Frame

FEATHER = 0.08
"""Width of the soft border of the square, as a share of its side."""

# Rows of the photograph that are worked on at a time: bounds the memory that a huge one takes.
_BAND = 256


def paste_back(
    photograph: Image.Image, square: np.ndarray, result: np.ndarray, mask: np.ndarray, frame: Frame
) -> Image.Image:
    """The photograph with the change of a translation in it, at the photograph's resolution.

    The model gives y = M g + (1 - M) x with the drawn g and the mask M, at its own small size. The same mixture at full
    size, with the photograph p for x, is up(y - x) + p - up(M) (p - up(x)): the change is added, and of the detail
    that the small square could not show, as much goes as the mask drew over. Where the mask is 0 the photograph stays
    exactly; where it is 1 stands what the model drew, enlarged, which is as blurred as its size makes it. Towards the
    edges of the square the change fades out, except where they are the photograph's own edges.

    Of a photograph with transparent parts p is what is seen of it over white, as the model saw it; its own colours are
    changed by as much more as they shine through less, and its alpha stays.

    Args:
      photograph: RGB or RGBA, upright, of the frame's size; see `frames.upright`.
      square: what the model was given, uint8 [S, S, 3].
      result: its translation, uint8 [S, S, 3].
      mask: float [S, S, 1] in [0, 1].
      frame: where the square lies.

    Returns:
      A new image of the photograph's size and mode.
    """
    seen = np.asarray(decoding.to_rgb(photograph))
    alpha = np.asarray(photograph.getchannel("A")) if photograph.mode == "RGBA" else None
    pixels = np.array(photograph.convert("RGB"))
    left, upper, right, lower = frame.box
    width, height = right - left, lower - upper
    shown, drawn = (frame.cut(part).astype(np.float32) for part in (square, result))
    layers = np.concatenate([drawn - shown, shown, frame.cut(mask).astype(np.float32)], -1)
    channels = [Image.fromarray(np.ascontiguousarray(layers[..., index])) for index in range(layers.shape[-1])]
    scale = channels[0].height / height
    across = _ramp(width, left > 0, right < frame.size[0])
    down = _ramp(height, upper > 0, lower < frame.size[1])
    for top in range(0, height, _BAND):
        rows = min(_BAND, height - top)
        box = (0, top * scale, channels[0].width, min((top + rows) * scale, channels[0].height))
        enlarged = [
            np.asarray(channel.resize((width, rows), Image.Resampling.BICUBIC, box=box)) for channel in channels
        ]
        change, small = np.stack(enlarged[:3], -1), np.stack(enlarged[3:6], -1)
        covered = np.clip(enlarged[6], 0.0, 1.0)[..., None]
        place = (slice(upper + top, upper + top + rows), slice(left, right))
        original = seen[place].astype(np.float32)
        feather = (down[top : top + rows, None] * across)[..., None]
        change = feather * (change - covered * (original - small))
        if alpha is not None:
            share = alpha[place][..., None].astype(np.float32) / 255.0
            original = pixels[place].astype(np.float32)
            change = np.divide(change, share, out=np.zeros_like(change), where=share > 0.0)
        pixels[place] = np.clip(np.rint(original + change), 0.0, 255.0).astype(np.uint8)
    image = Image.fromarray(pixels if alpha is None else np.dstack([pixels, alpha]))
    image.info = dict(photograph.info)
    return image


def _ramp(length: int, fade_first: bool, fade_last: bool) -> np.ndarray:
    """Weights float32 [length]: 1, falling smoothly towards 0 at the ends that fade."""
    border = max(FEATHER * length, 1.0)
    place = np.arange(length, dtype=np.float32) + 0.5
    weights = np.ones(length, np.float32)
    for fades, distance in ((fade_first, place), (fade_last, length - place)):
        if fades:
            share = np.clip(distance / border, 0.0, 1.0)
            weights *= share * share * (3.0 - 2.0 * share)
    return weights
