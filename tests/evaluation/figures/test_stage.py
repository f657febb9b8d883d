import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from rgunit_tf.evaluation.figures import cases as figure_cases
from rgunit_tf.evaluation.figures import stage
from rgunit_tf.evaluation.figures import translations as figure_translations
from rgunit_tf.evaluation.figures.neighbors import neighbor_cases
from rgunit_tf.evaluation.figures.painter import Painter, changes, spread
from rgunit_tf.evaluation.figures.sheet import FigureSheet
from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
from rgunit_tf.evaluation.metrics.counterfactual import mean_absolute_difference
from rgunit_tf.evaluation.outputs.translated import translate_test_set

SIZE = 16


class StyledModel:
    """Brightens by the mean of a style that depends on the noise; the mask is on in the upper half."""

    class prior:
        style_dim = 3

        @staticmethod
        def sample(labels, noise):
            return tf.cast(labels, tf.float32) + 0.5 * noise

    def translate_with_style(self, images, styles, ids=None):
        del ids
        mask = tf.cast(tf.range(SIZE)[:, None, None] < SIZE // 2, tf.float32) * tf.ones((SIZE, SIZE, 1))
        outputs = tf.clip_by_value(images + 0.2 * tf.reduce_mean(styles, -1)[:, None, None, None], -1, 1)
        return outputs, tf.ones_like(images[..., :1]) * mask


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Two categories, a folder each."""
    from rgunit_tf import data

    root = tmp_path_factory.mktemp("pets")
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / name).mkdir()
        for number in range(20):
            pixels = generator.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return data.load("folder", root=root, image_size=SIZE, test_images=8)


def test_chosen_images_are_of_different_domains_and_the_same_each_time(drawn):
    rows = spread(drawn.test, 5, seed=1)
    np.testing.assert_array_equal(rows, spread(drawn.test, 5, seed=1))
    assert len({drawn.test.labels[row].tobytes() for row in rows}) == min(5, len(drawn.test.domains()))
    assert len(spread(drawn.test, 10_000, seed=1)) == len(drawn.test)


def test_each_image_is_asked_for_another_change_that_can_be(drawn, pets):
    for dataset in (drawn, pets):
        labels = dataset.test.labels
        targets = changes(dataset.schema, labels)
        assert (targets != labels).any(axis=1).all()
        dataset.schema.check_labels(targets)
    changed = changes(drawn.schema, np.zeros((6, 3), np.float32))
    assert len(np.unique(changed, axis=0)) == 3


def test_what_is_shown_is_what_was_measured(drawn):
    model = StyledModel()
    painter = Painter(model, drawn, seed=3)
    batches = list(translate_test_set(model, drawn.test, painter.measured_targets, 3, batch_size=7))
    rows = np.array([2, 9, 30])
    outputs, masks = painter.measured(rows)
    np.testing.assert_array_equal(outputs, np.concatenate([batch.outputs for batch in batches])[rows])
    assert masks[:, 0].min() == 255 and masks[:, -1].max() == 0


def test_every_figure_of_a_translator_is_drawn(drawn, classifier, truth, tmp_path):
    names = stage.draw_translator(StyledModel(), drawn, classifier, truth, tmp_path, seed=0)
    assert names == [
        f"{name}.png" for name in ("translations", "samples", "masks", "interpolation", "beside_truth", "best", "worst")
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        sheet = FigureSheet.load(tmp_path / name)
        assert sheet.title and sheet.caption and len(sheet.row_titles) == len(sheet.rows)
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)


def test_translations_show_each_domain(drawn, fake_model):
    sheet = figure_translations.translations(Painter(fake_model("perfect"), drawn), count=4)
    assert sheet.columns == ["Input", "Black_Hair", "Blond_Hair", "Male switched"]
    for row in sheet.rows:
        assert row[1][0].mean() < 60 < 150 < row[2][0, :, 0].mean(), "black hair, then blond hair"


def test_samples_differ_and_ends_of_an_interpolation_are_its_domains(drawn, fake_model):
    samples = figure_translations.samples(Painter(StyledModel(), drawn))
    for row in samples.rows:
        assert len({image.tobytes() for image in row[1:]}) > 1
    line = figure_translations.interpolation(Painter(fake_model("perfect"), drawn), count=3)
    assert line.columns[1] == "0%" and line.columns[-1] == "100%"
    assert line.row_titles == ["Black_Hair to Blond_Hair", "Blond_Hair to Black_Hair", "not Male to Male"]
    first = line.rows[0]
    assert first[1][0].mean() < 60 and first[-1][0, :, 0].mean() > 150


def test_interpolated_styles_lie_on_a_straight_line(drawn):
    brightness = [
        [image[4, 4].astype(float).mean() for image in row[1:]]
        for row in figure_translations.interpolation(Painter(StyledModel(), drawn), count=3).rows
    ]
    for row in brightness:
        if min(row) > 0 and max(row) < 255:
            np.testing.assert_allclose(np.diff(row), np.diff(row).mean(), atol=1.1)


def test_a_mask_that_is_off_is_no_figure_and_an_old_one_goes(drawn, classifier, truth, fake_model, tmp_path):
    (tmp_path / "masks.png").write_text("of an earlier training")
    names = stage.draw_translator(fake_model("perfect"), drawn, classifier, truth, tmp_path)
    assert "masks.png" not in names and not (tmp_path / "masks.png").exists()
    assert "Mask" not in FigureSheet.load(tmp_path / "beside_truth.png").columns


def test_a_perfect_model_stands_beside_its_own_likeness(drawn, fake_model, truth):
    for row in figure_translations.beside_truth(Painter(fake_model("perfect"), drawn), truth).rows:
        np.testing.assert_array_equal(row[1], row[2])


def test_best_and_worst_are_ordered_by_the_distance_to_the_truth(drawn, classifier, truth, fake_model):
    sheets = figure_cases.cases(Painter(fake_model("copy"), drawn), classifier, truth)
    best, worst = (
        [float(mean_absolute_difference(row[1][None], row[2][None])[0]) for row in sheets[name].rows]
        for name in ("best", "worst")
    )
    assert best == sorted(best) and worst == sorted(worst, reverse=True) and best[-1] <= worst[-1]
    assert sheets["worst"].row_titles[0].endswith(f"L1 {worst[0]:.1f}")


def test_without_a_truth_the_classifier_tells_the_best_from_the_worst(drawn, classifier, fake_model):
    worst = {}
    for manner in ("copy", "perfect"):
        sheets = figure_cases.cases(Painter(fake_model(manner), drawn), classifier, None)
        shown = {name: [float(title.rsplit(" ", 1)[1]) for title in sheet.row_titles] for name, sheet in sheets.items()}
        assert shown["best"] == sorted(shown["best"], reverse=True) and shown["worst"] == sorted(shown["worst"])
        assert shown["worst"][0] < shown["best"][0]
        assert sheets["best"].columns == ["Input", "Translation"]
        worst[manner] = shown["worst"][0]
    assert worst["copy"] < worst["perfect"]


def test_two_categories(pets, tmp_path):
    class Two(StyledModel):
        class prior(StyledModel.prior):
            style_dim = 2

    judge = AttributeClassifier(pets.schema, SIZE, width=4)
    names = stage.draw_translator(Two(), pets, judge, None, tmp_path)
    assert "beside_truth.png" not in names and {"best.png", "worst.png", "interpolation.png"} <= set(names)
    assert FigureSheet.load(tmp_path / "translations.png").columns == ["Input", "cat", "dog"]
    assert set(FigureSheet.load(tmp_path / "interpolation.png").row_titles) == {"cat to dog", "dog to cat"}


def test_retrieved_images_and_what_guided_a_translation(drawn, classifier, tmp_path):
    from rgunit_tf.retrieval import Gallery
    from rgunit_tf.stages.guided import GuidedModel
    from rgunit_tf.stages.retrieval import RetrievalModel
    from rgunit_tf.stages.translation import TranslationModel

    translation = TranslationModel(drawn.schema, SIZE, width=4, residual_blocks=1, mlp_width=8, style_dim=2)
    retrieval = RetrievalModel(translation, embedding_dim=8, hidden=8, content_channels=4)
    gallery = Gallery.build(retrieval, drawn.retrieval)
    assert stage.draw_retrieval(retrieval, gallery, drawn, tmp_path / "retrieval") == ["retrievals.png"]
    sheet = FigureSheet.load(tmp_path / "retrieval/retrievals.png")
    assert sheet.columns == ["Query", *(f"Retrieved {rank}" for rank in range(1, 6))]
    assert len(sheet.rows) == stage.QUERIES * stage.CHANGES or len(sheet.rows) >= stage.QUERIES * 2
    held = {image.tobytes() for image in drawn.retrieval.images()}
    assert all(image.tobytes() in held for row in sheet.rows for image in row[1:])
    bare = Gallery.build(retrieval, drawn.retrieval, keep_images=False)
    assert stage.draw_retrieval(retrieval, bare, drawn, tmp_path / "none") == []

    guided = GuidedModel(translation, retrieval, gallery, neighbors=2)
    names = stage.draw_translator(guided, drawn, classifier, None, tmp_path / "guided")
    assert "guides.png" in names
    sheet = FigureSheet.load(tmp_path / "guided/guides.png")
    assert sheet.columns == ["Input", "Translation", "Neighbor 1", "Neighbor 2"]
    assert all(image.tobytes() in held for row in sheet.rows for image in row[2:])
    assert not any(name.startswith("neighbors_") for name in names), "nothing is added yet"

    guided.fusion.outer.kernel.assign_add(tf.random.stateless_normal(guided.fusion.outer.kernel.shape, [1, 2]))
    found = neighbor_cases(Painter(guided, drawn), classifier)
    assert list(found) == ["neighbors_helped", "neighbors_harmed"]
    for sheet, sign in zip(found.values(), (1.0, -1.0), strict=True):
        assert sheet.columns == ["Input", "Without neighbors", "With neighbors", "Neighbor 1", "Neighbor 2"]
        moves = []
        for title, row in zip(sheet.row_titles, sheet.rows, strict=True):
            before, after = map(float, title.partition("score ")[2].split(" to "))
            moves.append(sign * (after - before))
            assert all(image.tobytes() in held for image in row[3:])
            assert (row[1] != row[2]).any()
        assert moves[0] > 0.0 and all(left >= right - 0.011 for left, right in itertools.pairwise(moves))
    assert set(neighbor_cases(Painter(StyledModel(), drawn), classifier).values()) == {None}
