"""Tiny stages, their exports, and processes without this package that answer requests from the exports."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.serving import wire

SIZE, GALLERY, NEIGHBORS = 16, 12, 2
SERVING = pathlib.Path(__file__).resolve().parent / "serving"


class Stages(NamedTuple):
    translation: Any
    retrieval: Any
    guided: Any
    gallery: Any
    attention: Any


@pytest.fixture(scope="session")
def stages(schema) -> Stages:
    import tensorflow as tf

    from rgunit_tf import Gallery, GuidedModel, RetrievalModel, TranslationModel

    tf.keras.utils.set_random_seed(3)
    architecture = {"width": 4, "residual_blocks": 1, "discriminator_layers": 2}
    # A mask that is half on shows in the result whether it is respected.
    translation = TranslationModel(schema, SIZE, fixed_mask_strength=0.5, **architecture)
    retrieval = RetrievalModel(translation, embedding_dim=20, hidden=24, content_channels=8)
    images = np.random.default_rng(0).integers(0, 256, (GALLERY, SIZE, SIZE, 3), np.uint8)
    ids = [f"person {row:02d}.jpg" for row in range(GALLERY)]
    gallery = Gallery.build(retrieval, [{"image": images, "id": ids}])
    guided = GuidedModel(translation, retrieval, gallery, NEIGHBORS)
    attention = GuidedModel(translation, retrieval, gallery, NEIGHBORS, fusion="attention", style="neighbors")
    for model in (guided, attention):
        for variable in model.fusion.trainable_variables:
            variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2], stddev=0.1))
    return Stages(translation, retrieval, guided, gallery, attention)


@pytest.fixture(scope="session")
def exports(stages, tmp_path_factory) -> dict[str, pathlib.Path]:
    from rgunit_tf.serving.export import export

    folder = tmp_path_factory.mktemp("exports")
    return {
        "translation": export(stages.translation, folder / "translation"),
        "retrieval": export(stages.retrieval, folder / "retrieval", stages.gallery),
        "guided": export(stages.guided, folder / "guided"),
        "retrieval_scann": export(stages.retrieval, folder / "retrieval_scann", stages.gallery, "scann"),
        "guided_scann": export(stages.guided, folder / "guided_scann", index="scann"),
        "attention": export(stages.attention, folder / "attention"),
        "guided_half": export(stages.guided, folder / "guided_half", gallery_dtype="float16"),
    }


class RequestError(Exception):
    """A request was refused; the message is the one the client would get."""


@pytest.fixture
def refused():
    """Checks that a request is refused with a message that matches."""
    return lambda match: pytest.raises(RequestError, match=match)


class Server:
    """Runs `<kind>_loader.py` in a process of its own and asks it."""

    def __init__(self, kind: str, exports: dict[str, pathlib.Path]):
        # The loaders import what lies beside them, and nothing of the repository.
        left_out = ("PYTHONPATH", "PYTHONSAFEPATH")
        environment = {name: value for name, value in os.environ.items() if name not in left_out}
        self.kind, self.exports, self.modules, self._tensors = kind, exports, [], {}
        self._process = subprocess.Popen(
            [sys.executable, str(SERVING / f"{kind}_loader.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def ask(self, model: str, signature: str, /, **inputs: Any) -> dict[str, np.ndarray]:
        """Outputs of a signature; `RequestError` where it refuses."""
        path = self.exports[model]
        if path not in self._tensors:
            self._tensors[path] = _tensor_names(path)
        request = {
            "model": str(path),
            "signature": signature,
            "tensors": self._tensors[path][signature],
            "inputs": {name: wire.pack(value) for name, value in inputs.items()},
            "op_library": scann_library() if model.endswith("scann") else None,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the process ended with {self._process.wait()}"
        answer = json.loads(line)
        self.modules = answer["modules"]
        if "error" in answer:
            raise RequestError(answer["error"])
        return {name: wire.unpack(packed) for name, packed in answer["outputs"].items()}

    def memory_mib(self) -> float:
        """What the process holds in memory now."""
        pages = int(pathlib.Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)


def _tensor_names(path: pathlib.Path) -> dict[str, Any]:
    """Names of the graph's tensors by signature, as a server reads them from the SavedModel."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    return {
        name: {
            "inputs": {key: info.name for key, info in signature.inputs.items()},
            "outputs": {key: info.name for key, info in signature.outputs.items()},
        }
        for name, signature in model.meta_graphs[0].signature_def.items()
        if not name.startswith("__")
    }


@pytest.fixture(scope="session")
def tensor_names():
    """Signatures of a SavedModel: folder -> {signature: {"inputs": {name: tensor}, "outputs": ...}}."""
    return _tensor_names


def scann_library() -> str:
    folder = pathlib.Path(importlib.util.find_spec("scann").submodule_search_locations[0])
    return str(folder / "scann_ops" / "cc" / "_scann_ops.so")


@pytest.fixture(scope="session", params=["python", "cc"])
def server(request, exports):
    if request.param == "cc" and sys.platform != "linux":
        pytest.skip("libtensorflow_cc.so")
    process = Server(request.param, exports)
    yield process
    process.close()


@pytest.fixture(scope="session")
def cc_server(exports):
    """A process of the C++ loader for tests that look at one alone."""
    process = Server("cc", exports)
    yield process
    process.close()


class Fuzzed(NamedTuple):
    """How many requests were answered and refused, and by how much the process grew meanwhile."""

    answered: int
    refused: int
    grown_mib: float


@pytest.fixture
def fuzzed(cc_server, images, attributes):
    """Sends generated requests; each must be answered or refused with a message, and good ones as before."""
    from tests.serving import fuzz

    def run(count: int, seed: int) -> Fuzzed:
        rng = np.random.default_rng(seed)
        good = cc_server.ask("guided", "translate", images=images, attributes=attributes)
        outcomes, memory = {"answered": 0, "refused": 0}, []
        for number in range(count):
            model, signature, inputs = fuzz.request(rng)
            try:
                outputs = cc_server.ask(model, signature, **inputs)
                outcomes["answered"] += 1
                assert len({len(value) for value in outputs.values()}) == 1
            except RequestError as error:
                outcomes["refused"] += 1
                assert str(error).startswith("code 3: "), (number, signature, str(error))
            if number % max(count // 20, 1) == 0:
                memory.append(cc_server.memory_mib())
                again = cc_server.ask("guided", "translate", images=images, attributes=attributes)
                assert (again["images"] == good["images"]).all()
        return Fuzzed(**outcomes, grown_mib=memory[-1] - memory[len(memory) // 5])

    return run


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """uint8 [3, 16, 16, 3]."""
    return np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="session")
def attributes(schema) -> np.ndarray:
    """float32 [3, 5]."""
    return np.stack([schema.vector(names) for names in (["Blond_Hair", "Male"], ["Black_Hair", "Young"], ["Young"])])
