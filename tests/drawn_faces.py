"""A tiny drawn data set in CelebA's layout: colours stand for attributes, so that the truth can be drawn again."""

from __future__ import annotations

import importlib.util
import pathlib
import types

import numpy as np
import pytest
from PIL import Image

NAMES = ("Black_Hair", "Blond_Hair", "Male")
SIZE = 16


def draw(person: int, labels: np.ndarray) -> np.ndarray:
    """uint8 [16, 16, 3]: the upper half is the hair, the lower half the gender with a patch that is the person."""
    generator = np.random.default_rng(person)
    image = np.full((SIZE, SIZE, 3), 120, np.float64)
    image[: SIZE // 2] = (30, 30, 30) if labels[0] else (230, 210, 120) if labels[1] else (120, 70, 40)
    image[SIZE // 2 :] = (40, 60, 200) if labels[2] else (200, 60, 120)
    image[SIZE // 2 + 3 :, 5:-5] = generator.integers(0, 256, 3)
    return np.clip(image + generator.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def person_of(name: str) -> int:
    return int(str(name).split(".")[0])


@pytest.fixture(scope="session")
def drawn_root(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("drawn")
    (root / "img_align_celeba").mkdir()
    generator = np.random.default_rng(0)
    rows = []
    for person in range(1, 161):
        hair = np.eye(3)[generator.integers(3)][:2]
        labels = np.array([*hair, generator.integers(2)])
        Image.fromarray(draw(person, labels)).save(root / f"img_align_celeba/{person:06d}.png")
        smiling = generator.integers(2)
        rows.append(f"{person:06d}.png " + " ".join("1" if value else "-1" for value in (*labels, smiling)))
    header = [str(len(rows)), " ".join((*NAMES, "Smiling"))]
    (root / "list_attr_celeba.txt").write_text("\n".join(header + rows) + "\n")
    return root


@pytest.fixture(scope="session")
def drawn(drawn_root: pathlib.Path):
    from rgunit_tf import data

    return data.load(
        "celeba",
        root=drawn_root,
        image_size=SIZE,
        attributes=NAMES,
        groups=(("Black_Hair", "Blond_Hair"),),
        test_images=32,
        validation_fraction=0.1,
    )


@pytest.fixture(scope="session")
def truth():
    from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals

    return Counterfactuals(
        lambda ids, labels: np.stack([draw(person_of(name), label) for name, label in zip(ids, labels, strict=True)])
    )


@pytest.fixture(scope="session")
def classifier(drawn, tmp_path_factory: pytest.TempPathFactory):
    from rgunit_tf.evaluation.judge.classifier_training import load_or_train

    return load_or_train(tmp_path_factory.mktemp("judge") / "classifier", drawn, width=8, steps=120, batch_size=16)


@pytest.fixture(scope="session")
def seeded_weights() -> types.ModuleType:
    """Weights and images that the recorded values were made with."""
    spec = importlib.util.spec_from_file_location(
        "seeded", pathlib.Path(__file__).parent / "pretrained/recorded/seeded.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakePrior:
    style_dim = 3

    def sample(self, labels, noise):
        import tensorflow as tf

        return tf.cast(labels, tf.float32) + 0.0 * noise


class FakeModel:
    """Translates by redrawing (`perfect`), by copying (`copy`), or by noise (`noise`)."""

    def __init__(self, manner: str):
        self.manner = manner
        self.prior = FakePrior()

    def translate_with_style(self, images, styles, ids=None):
        import tensorflow as tf

        def redraw(names, labels):
            drawn = [draw(person_of(n.decode()), label) for n, label in zip(names, labels, strict=True)]
            return np.stack(drawn).astype(np.float32) / 127.5 - 1.0

        if self.manner == "perfect":
            outputs = tf.ensure_shape(tf.numpy_function(redraw, [ids, styles], tf.float32), images.shape)
        elif self.manner == "noise":
            outputs = tf.random.stateless_uniform(tf.shape(images), (1, 2), -1.0, 1.0)
        else:
            outputs = images
        return outputs, tf.ones_like(images[..., :1])


@pytest.fixture(scope="session")
def fake_model() -> type[FakeModel]:
    return FakeModel
