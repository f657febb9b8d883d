"""Networks of plain numpy behind a model that looks like an export, and pictures to put through them."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

SIZE, BLOCK = 16, 2


class NumpyNetworks:
    """Es is the mean colour of thirds of a picture; G paints with the style where the picture is bright.

    Args:
      schema: of the K attributes.
      die_at: the batch, counted from 1, at which translating raises.
    """

    GALLERY = np.random.default_rng(5).integers(0, 256, (12, SIZE, SIZE, 3), np.uint8)

    def __init__(self, schema, die_at: int | None = None):
        self.schema, self.die_at, self.batches, self.known = schema, die_at, [], None

    def styles(self, images):
        mean = images.astype(np.float32).mean((1, 2)) / 127.5 - 1.0
        colours = np.resize(mean.T, (self.schema.size, len(images))).T
        return np.repeat(colours, BLOCK, 1).astype(np.float32)

    def translate(self, images, styles, ids=None):
        self.batches.append(len(images))
        if self.die_at is not None and len(self.batches) >= self.die_at:
            raise KeyboardInterrupt
        masks = (images.mean(-1, keepdims=True) / 255.0).astype(np.float32)
        # Black hair, male and young.
        paint = (styles[:, None, None, [0, 3 * BLOCK, 4 * BLOCK]] + 2.0) * 60.0
        return np.rint(paint * masks + images * (1.0 - masks)).astype(np.uint8), masks

    def search(self, images, styles, k, ids=None):
        distances = np.abs(self.GALLERY.mean((1, 2))[None, :, 0] - images.mean((1, 2))[:, None, 0])
        for row, name in enumerate(ids or ()):
            if name.startswith("set/"):
                distances[row, int(pathlib.PurePath(name).stem)] = np.inf
        order = np.argsort(distances, 1)[:, :k]
        ids = np.array([[f"set/{row}.jpg" for row in rows] for rows in order])
        return ids, np.take_along_axis(distances, order, 1).astype(np.float32)

    def contents(self, images):
        """Four colours a picture, of its quarters."""
        side = SIZE // 2
        return images.reshape(-1, 2, side, 2, side, 3).astype(np.float32).mean((2, 4))

    def likeness(self):
        return self.known

    def gallery_images(self, ids):
        rows = [[int(pathlib.PurePath(name).stem) for name in row] for row in ids]
        return self.GALLERY[np.array(rows)]


@pytest.fixture
def export_folder(schema, tmp_path) -> pathlib.Path:
    """A folder that says that it is the export of a translation model."""
    return write_export(tmp_path / "export" / "3", schema)


def write_export(folder: pathlib.Path, schema, **facts) -> pathlib.Path:
    """Writes what describes an export, and no model."""
    described = {
        "format": 1,
        "stage": "translation",
        "schema": schema.to_dict(),
        "image_size": SIZE,
        "style_dim": schema.size * BLOCK,
        "crop_share": 1.0,
        "neighbors": 0,
        "gallery": None,
        **facts,
    }
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "variables").mkdir()
    (folder / "assets.extra" / "rgunit.json").write_text(json.dumps(described))
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"checksums")
    return folder


@pytest.fixture
def make_export():
    """`write_export`."""
    return write_export


@pytest.fixture
def networks():
    """`NumpyNetworks`."""
    return NumpyNetworks


@pytest.fixture
def description(export_folder):
    from rgunit_tf.inference import describe

    return describe(export_folder)


@pytest.fixture
def model(description, schema):
    from rgunit_tf.inference import Model

    return Model(description, NumpyNetworks(schema))


@pytest.fixture
def photos(tmp_path) -> pathlib.Path:
    """Pictures of all kinds: one stem with two endings, folders, a loop of links, and a file that is no picture."""
    folder = tmp_path / "photos"
    (folder / "sub" / "deep").mkdir(parents=True)
    random = np.random.default_rng(0)

    def picture(width, height):
        coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), np.uint8))
        return coarse.resize((width, height), Image.Resampling.BICUBIC)

    picture(40, 30).save(folder / "a.jpg", quality=95)
    picture(30, 40).save(folder / "a.png")
    picture(64, 64).convert("L").save(folder / "sub" / "grey.png")
    picture(50, 20).convert("CMYK").save(folder / "sub" / "print.jpg")
    picture(20, 24).convert("RGBA").save(folder / "sub" / "deep" / "a.webp")
    turned = picture(48, 32)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "turned.jpg", exif=exif)
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:300])
    (folder / "loop").symlink_to(folder)
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def tiny_stages(schema):
    """Translation, retrieval and guided stage and the gallery, with weights as they are drawn."""
    import tensorflow as tf

    from rgunit_tf import Gallery, GuidedModel, RetrievalModel, TranslationModel

    tf.keras.utils.set_random_seed(3)
    architecture = {"width": 4, "residual_blocks": 1, "discriminator_layers": 2, "discriminator_width": 4}
    translation = TranslationModel(schema, SIZE, fixed_mask_strength=0.5, **architecture, style_dim=2, mlp_width=8)
    retrieval = RetrievalModel(translation, embedding_dim=20, hidden=24, content_channels=8)
    images = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 3), np.uint8)
    gallery = Gallery.build(retrieval, [{"image": images, "id": [f"person {row}" for row in range(12)]}])
    guided = GuidedModel(translation, retrieval, gallery, 2)
    for variable in guided.fusion.trainable_variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2], stddev=0.1))
    return translation, retrieval, guided, gallery


@pytest.fixture(scope="module")
def workdir(tiny_stages, tmp_path_factory):
    """The run that these stages could be of."""
    import tensorflow as tf

    from rgunit_tf import config as settings
    from rgunit_tf.runs.workdir import Workdir

    workdir = Workdir(tmp_path_factory.mktemp("run"))
    workdir.claim(settings.default_config())
    for model in tiny_stages[:3]:
        final = workdir.stage(model.name) / "final"
        final.mkdir(parents=True)
        tf.train.Checkpoint(**model.networks).write(str(final / "weights"))
        (final / "stage.json").write_text(json.dumps({"format": 1, "stage": model.name, "model": model.get_config()}))
    tiny_stages[3].save(workdir.stage("retrieval") / "gallery")
    return workdir
