"""Names and files of results: pictures in the format of their inputs, masks, strips, animations."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from rgunit_tf import atomic
from rgunit_tf.data import decoding
from rgunit_tf.inference.request import Request

# As near to lossless as makes no visible difference: no subsampling of colour.
_FORMATS = {
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpe": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jfif": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"quality": 95}),
    ".bmp": ("BMP", {}),
}
ANIMATION_SIDE = 512
"""Longer side of animations at most, pixels."""
_FRAME_MS = 120


def output_name(name: str, variant: str = "") -> str:
    """Name of a result: that of the picture, with the variant before the ending.

    Results have the format of their picture; of formats that are not written (TIFF, say) they become PNG files, whose
    ending is added. Different pictures so never have the same results' names, unless one is named like a variant.
    """
    stem, ending = os.path.splitext(name)
    if variant:
        stem = f"{stem}.{variant}"
    return stem + ending + ("" if ending.lower() in _FORMATS else ".png")


def names_of(name: str, request: Request) -> list[str]:
    """Names of all results of a picture: a variant, its mask, its neighbors, the next variant; the animation last."""
    files = []
    for variant in request.variants:
        result = output_name(name, variant)
        files.append(result)
        files += [f"{result}.mask.png"] if request.show_mask else []
        files += [f"{result}.neighbors.png"] if request.show_neighbors else []
    return files + ([f"{name}.{request.animate}"] if request.animate else [])


def write_picture(path: pathlib.Path, image: Image.Image) -> None:
    """Writes a picture in the format of its name's ending, whole or not at all."""
    kind, options = _FORMATS[path.suffix.lower()]
    profile = image.info.get("icc_profile")
    if profile and kind != "BMP":
        options = {**options, "icc_profile": profile}
    if kind == "JPEG":  # a PNG by another name may be transparent
        image = decoding.to_rgb(image)
    with atomic.path(path) as temporary:
        image.save(temporary, format=kind, **options)


def write_mask(path: pathlib.Path, mask: np.ndarray) -> None:
    """Writes a mask, float [H, W, 1] in [0, 1], as a grey PNG: white where the model drew."""
    write_picture(path, Image.fromarray(np.rint(mask[..., 0] * 255.0).astype(np.uint8)))


def write_strip(path: pathlib.Path, images: np.ndarray) -> None:
    """Writes images [n, H, W, 3] side by side."""
    write_picture(path, Image.fromarray(np.concatenate(list(images), 1)))


def write_animation(path: pathlib.Path, frames: Sequence[Image.Image], back: bool) -> None:
    """Writes an endless GIF or WebP, by the ending of `path`.

    Args:
      path: where.
      frames: of one size; larger ones than `ANIMATION_SIDE` are made smaller.
      back: whether it runs back to the first frame, instead of jumping there.
    """
    shown = []
    for frame in frames:
        # GIF knows no half-transparent pixels, and draws frames over each other.
        small = decoding.to_rgb(frame) if path.suffix == ".gif" else frame.copy()
        small.thumbnail((ANIMATION_SIDE, ANIMATION_SIDE), Image.Resampling.BICUBIC)
        shown.append(small)
    shown += shown[-2:0:-1] if back else []
    options = {"quality": 90} if path.suffix == ".webp" else {}
    with atomic.path(path) as temporary:
        shown[0].save(temporary, save_all=True, append_images=shown[1:], duration=_FRAME_MS, loop=0, **options)
