"""The commands of the documents one after the other, as a newcomer gives them, on a run that is tiny."""

import importlib
import json
import re
import subprocess

import numpy as np
import pytest
from PIL import Image

from tests import documents, small_models

pytestmark = pytest.mark.slow

TINY = {
    **small_models.TINY_RUN,
    "data.num_images": 40,
    "model.discriminator_scales": 1,
    "translation.steps": 2,
    "retrieval.steps": 2,
    "retrieval.batch_size": 8,
    "guided.steps": 2,
    "train.tensorboard": False,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the commands are given; it holds photo.jpg and photos/."""
    from rgunit_tf.evaluation.judge import classifier_training
    from rgunit_tf.runs import training

    monkeypatch.setenv("RGUNIT_CACHE", str(tmp_path / "cache"))
    # No network that happens to lie on this machine.
    for name in ("KERAS_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name, value in {"width": 4, "steps": 2, "batch_size": 16}.items():
        monkeypatch.setitem(classifier_training.RECIPE, name, value)
    monkeypatch.setattr(classifier_training, "ROUNDS", 2)
    # It would hold for the tests that follow as well.
    monkeypatch.setattr(training, "configure", lambda config: None)
    folder = tmp_path / "here"
    (folder / "photos").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)
    for name in ("photo.jpg", "photos/one.jpg", "photos/two.png"):
        Image.fromarray(pixels).save(folder / name)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def shown(root):
    """The commands of README and of serving/README on the default run, each once.

    Left out: what does not end by itself, other formats than a SavedModel, for which `serving/test_convert.py` is, and
    galleries in shards, for which `pipelines/test_embedding.py` is.
    """
    apart = ("--config=", "--format=", "--gallery=shards")
    found = [
        command
        for name in ("README.md", "rgunit_tf/serving/README.md")
        for command in documents.Document(root / name).commands
        if command[0] not in ("demo", "embed") and not any(word.startswith(apart) for word in command)
    ]
    return [
        command
        for command in dict.fromkeys(map(tuple, found))
        if command[0] == "train" or "runs/avatars" in " ".join(command)
    ]


def call(command):
    """The exit code of a command."""
    from rgunit_tf.cli import launcher

    name, *words = command
    # The report at the end of a training and the features of a large network are left out.
    if name == "evaluate":
        words += ["--efficientnet=none"]
    if name == "train":
        words += ["--noreport", *(f"--config.{setting}={value}" for setting, value in TINY.items())]
    module = importlib.import_module(f"rgunit_tf.cli.{name}")
    return launcher.call(module.main, module.FLAGS, [name, *words])


def test_the_commands_in_their_order(folder, root, shown):
    assert [command[0] for command in shown] == [
        *("train", "evaluate", "translate", "retrieve", "export", "export", "export")
    ]
    # Of the exports the last, with ScaNN and float16.
    for command in [*shown[:4], shown[-1]]:
        assert call(command) == 0, command
    run = folder / "runs/avatars"
    (tree,) = (
        block for block in documents.Document(root / "rgunit_tf/runs/README.md").blocks if "config.json" in block
    )
    for line in tree.splitlines():
        name = re.split(",|  ", line)[0].replace("<stage>", "guided").replace("<version>", "1")
        # What is like 8 test images cannot be told, and no style of a neighbour is asked for.
        assert list(run.glob(name)) or name in ("retrieval/likeness.npz", "retrieval/styles/"), line
    assert (run / "evaluation/report.html").is_file()
    assert (folder / "out/one.jpg").is_file() and (folder / "out/two.png").is_file()
    assert (folder / "sheet.png").is_file()
    assert (run / "guided/export/2/saved_model.pb").is_file()
    check_servers(run, root)
    check_clients(run, root)


def check_servers(run, root):
    """Files that are named to a server lie where it sees them."""
    named = set()
    for document in documents.find(root):
        for block in document.blocks:
            named |= {word.partition("=")[2] for word in block.split() if "=/models/" in word}
    assert len(named) == 2
    for path in named:
        assert (run / path.removeprefix("/models/")).is_file(), path


def check_clients(run, root):
    """What the clients of the documents send is answered by the export."""
    import tensorflow as tf

    document = documents.Document(root / "rgunit_tf/serving/README.md")
    (rest,) = (block for block in document.blocks if block.startswith("printf"))
    said = subprocess.run(["bash", "-c", rest.partition("|")[0]], capture_output=True, text=True, check=True).stdout
    (instance,) = json.loads(said)["instances"]
    signatures = tf.saved_model.load(run / "guided/export/1").signatures
    files = tf.io.decode_base64(instance["image_bytes"]["b64"].translate(str.maketrans("+/", "-_")))[tf.newaxis]
    answer = signatures["serving_default"](
        image_bytes=files, attributes=tf.constant([instance["attributes"]], tf.float32)
    )
    assert tf.io.decode_png(answer["translated_bytes"][0]).shape == (16, 16, 3)

    predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2")
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    class Stub:
        def __init__(self, channel):
            pass

        def Predict(self, request):
            signature = signatures[request.model_spec.signature_name]
            inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
            answer = predict_pb2.PredictResponse()
            for key, value in signature(**inputs).items():
                answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
            return answer

    (snippet,) = (text for text in document.snippets if "grpc" in text)
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "PredictionServiceStub", Stub)
        exec(snippet, names)
    assert tf.make_ndarray(names["answer"].outputs["ids"]).shape == (1, 5)
