"""Made judges.json beside this script, which tests compare with; needs Node and the packages, and no download.

    npm install @tensorflow/tfjs@4.22.0
    npm pack @vladmandic/human@3.3.6 @vladmandic/face-api@1.7.15 nsfwjs@4.3.0     and unpack each into a folder
    python record_with_tensorflow_js.py <folder of node_modules> <human> <face-api> <nsfwjs>

The packages' own graphs and code run on TensorFlow.js' plain CPU backend, once with their own weights (`package`) and
once with those of seeded_judges.py (`seeded`), which tests can make without the packages.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import seeded_judges

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))

from rgunit_tf.pretrained import face_attributes, face_descriptor, mobilenet_v2  # noqa: E402
from rgunit_tf.pretrained.tensorflow_js import Package  # noqa: E402


def names_in_package(network: str, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Seeded weights under the names of the package, with a normalisation that does nothing."""
    found = {}
    for name, array in weights.items():
        layer, _, part = name.rpartition("/")
        if network == "descriptor" and layer.startswith("conv"):
            if part == "bias":
                found[f"{layer}_bn/batchnorm_1/sub"] = array
            elif layer.startswith("conv_dw"):
                found[f"{layer}/depthwise_kernel"] = array
                found[f"{layer}_bn/batchnorm_1/mul"] = np.ones(array.shape[2], np.float32)
            else:
                found[f"{layer}/convolution/merged_input"] = array
        elif network == "general":
            block, _, kind = layer.partition("/")
            keras = "Conv1" if layer == "stem" else f"{'expanded_conv' if block == '0' else f'block_{block}'}_{kind}"
            norm = "bn_Conv1" if layer == "stem" else f"{keras}_BN"
            if part == "kernel":
                found[f"{keras}/{'depthwise_kernel' if kind == 'depthwise' else 'kernel'}"] = array
            else:
                found[f"{norm}/beta"] = array
                found[f"{norm}/gamma"] = np.full(array.shape, np.sqrt(1.0 + 1e-3), np.float32)
                found[f"{norm}/moving_mean"] = np.zeros_like(array)
                found[f"{norm}/moving_variance"] = np.ones_like(array)
        else:
            found[name] = array
    return found


def main() -> None:
    modules, human, face_api, nsfwjs = (pathlib.Path(path).resolve() for path in sys.argv[1:])
    networks = {
        "descriptor": (face_descriptor.shapes(), face_descriptor.SIZE),
        "gender": (face_attributes.male_shapes(), face_attributes.SIZE),
        "expression": (face_attributes.happy_shapes(), face_attributes.SIZE),
        "general": (mobilenet_v2.shapes(), mobilenet_v2.SIZE),
    }
    folder = "dist/models/mobilenet_v2"
    own = Package(nsfwjs).tensors(f"{folder}/model.min.js", f"{folder}/group1-shard1of1.min.js")
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        for network, (shapes, size) in networks.items():
            seeded_judges.pictures(size).tofile(work / f"{network}.pictures")
            weights = names_in_package(network, seeded_judges.weights(shapes))
            write(weights, work / f"{network}.seeded")
        write(own, work / "general.package")
        script = HERE / "run_tensorflow_js.cjs"
        command = ["node", str(script), str(modules), str(human), str(face_api), str(nsfwjs), str(work)]
        environment = {**os.environ, "NODE_PATH": str(modules)}
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    made_with = "@tensorflow/tfjs 4.22.0, @vladmandic/human 3.3.6, @vladmandic/face-api 1.7.15, nsfwjs 4.3.0"
    values = {"made_with": made_with} | json.loads(answer.splitlines()[-1])
    (HERE / "judges.json").write_text(json.dumps(values) + "\n")


def write(weights: dict[str, np.ndarray], path: pathlib.Path) -> None:
    """Manifest and bytes, as TensorFlow.js reads them."""
    entries = [{"name": name, "shape": array.shape, "dtype": "float32"} for name, array in weights.items()]
    path.with_suffix(f"{path.suffix}.json").write_text(json.dumps(entries))
    path.with_suffix(f"{path.suffix}.bin").write_bytes(b"".join(array.tobytes() for array in weights.values()))


if __name__ == "__main__":
    main()
