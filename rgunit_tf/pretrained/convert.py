"""Makes the file of the judges' weights from three npm packages, once.

npm pack @vladmandic/human@3.3.6 @vladmandic/face-api@1.7.15 nsfwjs@4.3.0
python -m rgunit_tf.pretrained.convert *.tgz

Takes the archives, or the folders that they unpack to, in any order. All three are under the MIT licence; the network
of faces in the first was made by HSE_FaceRec_tf (Apache-2.0). Other versions are taken where they hold the same
networks.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rgunit_tf import atomic
from rgunit_tf.errors import UserError
from rgunit_tf.pretrained import face_attributes, face_descriptor, judge_weights, mobilenet_v2
from rgunit_tf.pretrained.tensorflow_js import Package

# Weights of a network from the tensors of a package.
Choose = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def convert(packages: Sequence[Package]) -> dict[str, np.ndarray]:
    """Arrays of `judge_weights.FILE`, by `<network>/<name>`.

    Args:
      packages: those of `judge_weights.PACKAGES`, in any order.

    Raises:
      UserError: one is missing, or does not hold the network it is there for.
    """
    by_name = {package.name: package for package in packages}
    human, face_api, nsfwjs = (_find(by_name, wanted) for wanted in judge_weights.PACKAGES)
    folder = "dist/models/mobilenet_v2"
    general = nsfwjs.tensors(f"{folder}/model.min.js", f"{folder}/group1-shard1of1.min.js")
    parts = {
        "mobilenet_v2": _of(nsfwjs, mobilenet_v2.from_keras, general),
        "faces/descriptor": _of(
            human, face_descriptor.from_package, human.tensors("models/faceres.json", "models/faceres.bin")
        ),
    }
    for part, model, shapes in (
        ("faces/gender", "age_gender_model", face_attributes.male_shapes),
        ("faces/expression", "face_expression_model", face_attributes.happy_shapes),
    ):
        tensors = face_api.tensors(f"model/{model}-weights_manifest.json", f"model/{model}.bin")
        parts[part] = _of(face_api, lambda found, names=shapes: {name: found[name] for name in names()}, tensors)
    return {f"{part}/{name}": array for part, weights in parts.items() for name, array in weights.items()}


def _find(by_name: dict[str, Package], wanted: str) -> Package:
    name = wanted.rpartition("@")[0]
    if name not in by_name:
        raise UserError(f"the package {name} is missing; npm pack {wanted}")
    return by_name[name]


def _of(package: Package, chosen: Choose, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    try:
        return chosen(tensors)
    except (KeyError, ValueError) as error:
        raise UserError(f"{package.path}: {package.name} {package.version} has another network ({error})") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the file and says where; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m rgunit_tf.pretrained.convert",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("packages", nargs="+", metavar="package", help="archive of an npm package, or its folder")
    parser.add_argument("--output", type=pathlib.Path, help="the file [where bin/evaluate looks for it]")
    given = parser.parse_args(arguments)
    output = given.output or judge_weights.default_path()
    try:
        weights = convert([Package(path) for path in given.packages])
        with atomic.path(output) as temporary:
            np.savez_compressed(temporary, **weights)
            judge_weights.read(temporary)
    except (UserError, OSError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return 2
    print(f"{output}: {sum(array.size for array in weights.values()) / 1e6:.1f} million weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
