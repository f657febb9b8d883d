"""Seeded weights of VGG16's convolutions, and seeded images: the same for PyTorch and for the tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Input and output channels of the convolutions, block after block.
PLAN = (
    ((3, 64), (64, 64)),
    ((64, 128), (128, 128)),
    ((128, 256), (256, 256), (256, 256)),
    ((256, 512), (512, 512), (512, 512)),
    ((512, 512), (512, 512), (512, 512)),
)


def seeded_convolutions() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Kernels [O, I, 3, 3] and biases [O], as PyTorch lays them out, in order."""
    generator = np.random.default_rng(0)
    for block in PLAN:
        for inputs, outputs in block:
            kernel = generator.standard_normal((outputs, inputs, 3, 3), np.float32) * np.float32(
                np.sqrt(2.0 / (9 * inputs))
            )
            yield kernel, generator.uniform(-0.1, 0.1, outputs).astype(np.float32)


def image_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Four pairs of float32 images [4, 32, 32, 3] in [-1, 1], the last pair twice the same image."""
    generator = np.random.default_rng(1)
    first = generator.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    second = np.clip(
        first + generator.normal(0, 1, first.shape) * np.array([0.05, 0.3, 2.0, 0.0])[:, None, None, None], -1, 1
    )
    return first, second.astype(np.float32)


def pictures() -> np.ndarray:
    """Two uint8 images [2, 128, 128, 3]: coarse patches of colour with a little noise."""
    generator = np.random.default_rng(2)
    patches = generator.integers(0, 256, (2, 8, 8, 3)).repeat(16, 1).repeat(16, 2)
    return np.clip(patches + generator.integers(-20, 21, (2, 128, 128, 3)), 0, 255).astype(np.uint8)
