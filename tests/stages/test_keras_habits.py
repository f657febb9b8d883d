"""What users of Keras do by habit: evaluate, callbacks, optimisers, save, short trainings, (image, label) pairs."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from rgunit_tf.data import load
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import Gallery
from rgunit_tf.stages.batches import as_batches
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.plan import for_steps, settings_of
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel
from tests.small_models import ARCHITECTURE, RETRIEVAL, SIZE


@pytest.fixture
def data(make_batch):
    return tf.data.Dataset.from_tensor_slices(make_batch(8)).batch(4)


@pytest.fixture
def stages(schema, retrieval, gallery):
    """A fresh model of each stage, compiled with no settings; without graphs, whose tracing takes far longer."""

    def make(name, run_eagerly=True):
        translation = TranslationModel(schema, SIZE, **ARCHITECTURE)
        model = {
            "translation": lambda: translation,
            "retrieval": lambda: RetrievalModel(translation, **RETRIEVAL),
            "guided": lambda: GuidedModel(translation, retrieval, gallery, 2),
        }[name]()
        model.compile(run_eagerly=run_eagerly)
        return model

    return make


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures as `image_dataset_from_directory` reads them: six of a dark class, six of a light one."""
    root = tmp_path_factory.mktemp("photos")
    for number, name in enumerate(("cat", "dog")):
        (root / name).mkdir()
        for index in range(6):
            values = np.random.default_rng(index).integers(0, 100, (20, 24, 3)) + 150 * number
            Image.fromarray(values.astype(np.uint8)).save(root / name / f"{index}.png")
    return root


def pairs(folder, **options):
    return tf.keras.utils.image_dataset_from_directory(
        folder, **{"image_size": (SIZE, SIZE), "batch_size": 4, "seed": 0, **options}
    )


def test_evaluate_gives_named_values(stages, data):
    model = stages("translation")
    values = model.evaluate(data, verbose=0)
    assert {"generator_loss", "discriminator_loss", "cycle"} <= set(values)
    assert list(values) == model.metrics_names
    assert model.evaluate(data, verbose=0, return_dict=False) == pytest.approx(list(values.values()))


@pytest.mark.parametrize(("name", "term"), [("translation", "generator_loss"), ("retrieval", "triplet_loss")])
def test_checkpoints_and_early_stopping_keep_the_model_that_was_measured(stages, data, tmp_path, name, term):
    model, path = stages(name), tmp_path / "best.weights.h5"
    keep = tf.keras.callbacks.ModelCheckpoint(
        str(path), monitor=f"val_{term}", save_best_only=True, save_weights_only=True
    )
    # The first epoch is taken to be the best one, so that the weights of the second must go.
    stop = tf.keras.callbacks.EarlyStopping(
        f"val_{term}", patience=1, baseline=None, min_delta=1e6, restore_best_weights=True
    )
    history = model.fit(data, validation_data=data, epochs=5, callbacks=[keep, stop], verbose=0).history
    assert len(history[f"val_{term}"]) == 2
    again = model.evaluate(data, verbose=0)[term]
    assert again == pytest.approx(history[f"val_{term}"][0], rel=1e-4)
    other = stages(name)
    other.load_weights(str(path))
    other.loss_settings = model.loss_settings  # its warm-ups are shorter
    best = min(history[f"val_{term}"])
    assert other.evaluate(data, verbose=0)[term] == pytest.approx(best, rel=1e-4)


def test_between_epochs_the_model_holds_its_averages_and_trains_on_from_its_own_weights(stages, data):
    seen = []

    def note(*_):
        seen.append(np.concatenate([np.ravel(each) for each in model.trained_variables]))

    model = stages("retrieval")
    model.compile({"ema_momentum": 0.9}, run_eagerly=True)
    watch = tf.keras.callbacks.LambdaCallback(on_epoch_end=note, on_train_batch_begin=note)
    model.fit(data, epochs=2, callbacks=[watch], verbose=0)
    _, second, average, third, _, last = seen
    averages = np.concatenate([np.ravel(model.main_optimizer.average_of(each)) for each in model.trained_variables])
    np.testing.assert_array_equal(last, averages)
    assert np.abs(third - second).max() > 0 and np.abs(third - average).max() > 0


@pytest.mark.parametrize("name", ["translation", "retrieval", "guided"])
@pytest.mark.parametrize("given", [{"optimizer": "adam"}, {"optimizer": tf.keras.optimizers.Adam()}, {"loss": "mse"}])
def test_an_optimiser_or_a_loss_of_keras_is_refused_in_a_sentence(stages, name, given):
    with pytest.raises(UserError, match=rf"compile\({next(iter(given))}=\w+\): a {name} model has .*leave it out"):
        stages(name).compile(**given)


def test_metrics_are_refused_in_a_sentence(stages):
    with pytest.raises(UserError, match=r"compile\(metrics=list\): a translation model has .*leave it out"):
        stages("translation").compile(metrics=["mae"])


@pytest.mark.parametrize("name", ["translation", "retrieval", "guided"])
def test_save_works_or_says_what_to_use(stages, data, tmp_path, name):
    model = stages(name)
    before = model.evaluate(data, verbose=0)
    with pytest.raises(UserError, match=r"use export\('folder'\).*save_weights"):
        model.save(tmp_path / "folder")
    with pytest.raises(UserError, match="save_weights_only=True"):
        model.fit(data, callbacks=[tf.keras.callbacks.ModelCheckpoint(str(tmp_path / "model"))], verbose=0)
    model.save_weights(str(tmp_path / "stage.weights.h5"))
    other = stages(name)
    other.load_weights(str(tmp_path / "stage.weights.h5"))
    assert other.evaluate(data, verbose=0) == pytest.approx(before, rel=1e-4)
    path = str(tmp_path / "model.keras")
    if name != "translation":
        with pytest.raises(UserError, match="more than Keras would save"):
            model.save(path)
        return
    model.save(path)
    loaded = tf.keras.models.load_model(path, custom_objects={"TranslationModel": TranslationModel}, compile=False)
    for mine, other in zip(model.trained_variables, loaded.trained_variables, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_schedules_and_warm_ups_follow_from_the_steps_of_fit(stages, data):
    model = stages("translation")
    model.fit(data, epochs=4, verbose=0)
    assert model.optimizer_settings.steps == 8
    assert model.loss_settings.mask_warmup == model.loss_settings.kl_warmup == 2
    assert float(model.mask_strength) == 1.0
    model.fit(data, epochs=90, steps_per_epoch=1, initial_epoch=10, callbacks=[Stop()], verbose=0)
    assert model.optimizer_settings.steps == 88 and model.loss_settings.mask_warmup == 2


def test_a_step_that_was_traced_follows_the_new_schedule(stages, data):
    model = stages("retrieval", run_eagerly=False)
    rates = model.fit(data, epochs=10, verbose=0).history["learning_rate"]
    # Up to the full rate, and down to next to nothing; then for twice as many steps, so on from the middle.
    assert max(rates) > 0.9e-4 and rates[-1] < 0.1 * max(rates)
    assert model.main_optimizer.ema_momentum == 0.5
    (again,) = model.fit(data, epochs=10, callbacks=[Stop()], verbose=0).history["learning_rate"]
    assert again > 4 * rates[-1] and model.main_optimizer.ema_momentum == 0.75


class Stop(tf.keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


def test_settings_that_compile_was_given_stay(stages, data):
    model = stages("translation")
    model.compile({"steps": 300}, {"mask_warmup": 7}, run_eagerly=True)
    model.fit(data, verbose=0)
    assert model.optimizer_settings.steps == 300 and model.loss_settings.kl_warmup == 1000
    model.compile({"ema_momentum": 0.99}, {"mask_warmup": 7}, run_eagerly=True)
    model.fit(data, verbose=0)
    assert model.optimizer_settings.steps == 4 and model.main_optimizer.ema_momentum == 0.99
    assert model.loss_settings.mask_warmup == 7 and model.loss_settings.kl_warmup == 1


def test_a_long_fit_has_the_documented_warm_ups():
    optimizer, loss = (
        settings_of("translation", name, None, group)
        for name, group in (("optimizer", "translation"), ("loss", "loss"))
    )
    longer, same = for_steps(optimizer, loss, set(), 50_000)
    assert longer.steps == 50_000 and longer.ema_momentum == 0.999 and vars(same) == vars(loss)


@pytest.mark.parametrize("label_mode", ["int", "categorical", "binary"])
def test_pairs_of_keras_become_batches(folder, label_mode):
    schema = AttributeSchema(("cat", "dog"), groups=(("cat", "dog"),))
    batches = as_batches(pairs(folder, label_mode=label_mode), schema, SIZE, 0, True)
    count = 0
    for batch in batches:
        light = tf.reduce_mean(batch["image"], (1, 2, 3)) > 0.0
        np.testing.assert_array_equal(batch["label"][:, 1] == 1.0, light)
        np.testing.assert_array_equal(tf.reduce_sum(batch["label"], 1), np.ones(len(light)))
        if len(np.unique(light)) == 2:
            np.testing.assert_array_equal(batch["target"], 1.0 - batch["label"])
        assert float(tf.reduce_min(batch["image"])) >= -1.0 and float(tf.reduce_max(batch["image"])) <= 1.0
        count += len(light)
    assert count == 12


def test_the_three_stages_take_pairs(folder):
    schema, data = AttributeSchema(("cat", "dog"), groups=(("cat", "dog"),)), pairs(folder)
    translation = TranslationModel(schema, SIZE, **ARCHITECTURE)
    translation.compile(run_eagerly=True)
    assert "val_cycle" in translation.fit(data, validation_data=data, verbose=0).history
    assert np.isfinite(translation.evaluate(data, verbose=0)["cycle"])
    retrieval = RetrievalModel(translation, **RETRIEVAL)
    retrieval.compile()
    retrieval.fit(data, verbose=0)
    gallery = Gallery.build(retrieval, pairs(folder, shuffle=False))
    assert gallery.ids.tolist() == [str(number) for number in range(12)]
    guided = GuidedModel(translation, retrieval, gallery, 2)
    guided.compile(run_eagerly=True)
    guided.fit(data, verbose=0)
    assert int(guided.step) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each: each.map(lambda image, label: image), "images without labels"),
        (lambda each: each.map(lambda image, label: (image / 255.0, label)), "grey levels from 0 to 255"),
        (lambda each: each.map(lambda image, label: (image[:, :8], label)), r"image_size=\(16, 16\)"),
        (lambda each: each.unbatch(), r"\.batch\(16\)"),
        (lambda each: each.map(lambda image, label: (image, label + 2)), "beyond the 2 names"),
        (lambda each: np.zeros((4, SIZE, SIZE, 3)), "take no ndarray"),
    ],
)
def test_data_that_are_no_batches_are_refused_in_a_sentence(folder, change, message):
    schema = AttributeSchema(("cat", "dog"), groups=(("cat", "dog"),))
    with pytest.raises(UserError, match=message):
        as_batches(change(pairs(folder)), schema, SIZE, 0, True)


def test_numbers_of_classes_need_one_group(folder):
    with pytest.raises(UserError, match="one group of names"):
        as_batches(pairs(folder), AttributeSchema(("cat", "dog")), SIZE, 0, True)


def test_predict_takes_the_batches_of_a_split(folder):
    data = load("folder", root=str(folder), image_size=SIZE, test_images=3)
    translation = TranslationModel(data.schema, SIZE, **ARCHITECTURE)
    retrieval = RetrievalModel(translation, **RETRIEVAL)
    guided = GuidedModel(translation, retrieval, Gallery.build(retrieval, data.train), 2)
    (whole,) = data.train.batches(len(data.train), training=False)
    styles = translation.prior.mean(whole["label"])
    for model, expected in (
        (retrieval, retrieval.embed_images(whole["image"])),
        (translation, translation.translate_with_style(whole["image"], styles)[0]),
        (guided, guided.translate_with_style(whole["image"], styles, whole["id"])[0]),
    ):
        found = model.predict(data.train.batches(4, training=False), verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_predict_translates_to_the_target(translation, data):
    (batch,) = data.unbatch().batch(8)
    expected, _ = translation.translate_with_style(batch["image"], translation.prior.mean(batch["target"]))
    np.testing.assert_allclose(translation.predict(data, verbose=0), expected, atol=1e-5)
    with pytest.raises(UserError, match="fit, evaluate and predict take no ndarray"):
        translation.predict(batch["image"].numpy())
