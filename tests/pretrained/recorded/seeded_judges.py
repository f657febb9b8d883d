"""Seeded weights and images of the judges: the same for TensorFlow.js and for the tests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Float32 arrays by name: kernels that keep the size of what they are given, small biases."""
    generator = np.random.default_rng(0)
    found = {}
    for name in sorted(shapes):
        shape = shapes[name]
        if len(shape) == 1:
            found[name] = generator.uniform(-0.1, 0.1, shape).astype(np.float32)
        else:
            inputs = shape[0] * shape[1] * (shape[2] if len(shape) == 4 and shape[3] > 1 else 1)
            inputs = shape[0] if len(shape) == 2 else inputs
            found[name] = (generator.standard_normal(shape) * np.sqrt(1.5 / inputs)).astype(np.float32)
    return found


def pictures(size: int) -> np.ndarray:
    """Two uint8 images [2, size, size, 3]: coarse patches of colour with a little noise."""
    generator = np.random.default_rng(3)
    patches = generator.integers(0, 256, (2, 8, 8, 3)).repeat(-(-size // 8), 1).repeat(-(-size // 8), 2)
    patches = patches[:, :size, :size]
    return np.clip(patches + generator.integers(-20, 21, patches.shape), 0, 255).astype(np.uint8)
