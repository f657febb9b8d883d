"""What a translation does to the pixels: whether it colours them, and whether it keeps to its attention mask."""

from __future__ import annotations

import numpy as np


def colorfulness(images: np.ndarray) -> np.ndarray:
    """Mean of |R - G| + |G - B| over the pixels of each image, grey levels.

    Args:
      images: uint8 [N, S, S, 3].

    Returns:
      float64 [N]; 0 for grey images.
    """
    red, green, blue = np.moveaxis(np.asarray(images, np.float64), -1, 0)
    return (np.abs(red - green) + np.abs(green - blue)).mean(axis=(1, 2))


def color_shift(outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """By how much each translation is more colourful than its input, grey levels.

    Grey photographs that come out tinted show here, while most classifiers overlook a tint.

    Args:
      outputs: translations, uint8 [N, S, S, 3].
      inputs: of the same shape.

    Returns:
      float64 [N]; negative where colour was lost.
    """
    return colorfulness(outputs) - colorfulness(inputs)


def change_inside_mask(outputs: np.ndarray, inputs: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much each image changes where its mask is, and how much everywhere.

    Their ratio is the mean of the mask over the change: 1 where all that changes lies under a mask of 1, the mask's
    plain mean where the change knows nothing of the mask.

    Args:
      outputs: translations, uint8 [N, S, S, 3].
      inputs: of the same shape.
      masks: attention masks in [0, 1], [N, S, S, 1].

    Returns:
      float64 [N] each: mean |output - input| weighted by the mask, and unweighted; grey levels.
    """
    change = np.abs(np.asarray(outputs, np.float64) - inputs).mean(axis=-1, keepdims=True)
    return (change * masks).mean(axis=(1, 2, 3)), change.mean(axis=(1, 2, 3))
