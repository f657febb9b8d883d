import numpy as np
import pytest
from PIL import Image

from rgunit_tf.runs.samples import Samples, domain_changes, sample_rows


def test_one_change_a_column(schema):
    labels = np.stack([schema.vector(["Black_Hair", "Male"]), schema.vector(["Young"])])
    columns = dict(domain_changes(schema, labels))
    assert list(columns) == ["Black_Hair", "Blond_Hair", "Brown_Hair", "Male switched", "Young switched"]
    assert [schema.names_of(v) for v in columns["Blond_Hair"]] == [("Blond_Hair", "Male"), ("Blond_Hair", "Young")]
    assert [schema.names_of(v) for v in columns["Male switched"]] == [("Black_Hair",), ("Male", "Young")]


@pytest.fixture(scope="module")
def pictures(make_batch):
    batch = make_batch()
    images = np.round((batch["image"].numpy() + 1.0) * 127.5).astype(np.uint8)
    return images, batch["label"].numpy(), batch["id"].numpy().astype(str)


def test_rows_of_a_translation_model(translation, pictures):
    titles, rows = sample_rows(translation, *pictures)
    assert titles[0] == "input" and titles[-1] == "reconstruction" and len(titles) == 8
    assert len(rows) == 4 and all(len(row) == 8 for row in rows)
    np.testing.assert_array_equal(rows[2][0], pictures[0][2])
    assert all(picture.dtype == np.uint8 and picture.shape == (16, 16, 3) for row in rows for picture in row)


def test_where_the_mask_is_off_the_change_is_shown(make_translation, pictures):
    model = make_translation(loss={"mask_warmup": 1_000_000})
    titles, rows = sample_rows(model, *pictures)
    assert titles[-2] == "change of Young switched"
    for row in rows:
        change = np.abs(row[-3].astype(float) - row[0]).mean(-1) * 2.0  # of [-1, 1], shown as of [0, 1]
        np.testing.assert_allclose(row[-2], np.minimum(change, 255.0)[..., None].repeat(3, -1), atol=3.0)


def test_rows_of_a_guided_model_show_its_neighbours(translation, retrieval, gallery, pictures):
    from rgunit_tf.stages.guided import GuidedModel

    titles, rows = sample_rows(GuidedModel(translation, retrieval, gallery, neighbors=2), *pictures)
    assert [title for title in titles if title.startswith("neighbor")] == titles[-2:]
    held = gallery.images(np.arange(gallery.size)).numpy()
    for index, row in enumerate(rows):
        for neighbor in row[-2:]:
            found = [number for number, image in enumerate(held) if np.array_equal(image, neighbor)]
            assert found and index not in found


def test_grids_are_drawn_with_the_averaged_weights_where_their_step_is_reached(make_translation, pictures, tmp_path):
    images, labels, ids = pictures

    class Split:
        def __init__(self):
            self.labels, self.ids = labels, ids

        def __len__(self):
            return len(images)

        def image(self, index):
            return images[index]

    callback = Samples(Split(), tmp_path, every=20)
    callback.model = make_translation()
    before = [variable.numpy() for variable in callback.model.trainable_variables]
    callback.on_train_begin()
    for step in (15, 30, 35):
        callback.model.step.assign(step)
        callback.on_epoch_end(0)
    assert [file.name for file in tmp_path.iterdir()] == ["0000030.png"]
    with Image.open(tmp_path / "0000030.png") as image:
        assert image.width > 8 * 16 and image.height > 4 * 16
    for variable, value in zip(callback.model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
