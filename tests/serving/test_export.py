"""Version folders, what they hold and what they do not, and exports of a workdir."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import Gallery, GuidedModel, default_config
from rgunit_tf.cli import export as command
from rgunit_tf.cli import launcher
from rgunit_tf.errors import UserError
from rgunit_tf.runs import saving
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.serving.export import export, export_stage

pytestmark = pytest.mark.slow


def translate(path, images, attributes):
    signature = tf.saved_model.load(str(path)).signatures["translate"]
    return signature(images=tf.constant(images), attributes=tf.constant(attributes))["images"].numpy()


def described(path):
    return json.loads((path / "assets.extra" / "rgunit.json").read_text())


def test_versions_count_up_and_are_never_written_over(stages, tmp_path):
    first = stages.translation.export(tmp_path)
    content = (first / "saved_model.pb").read_bytes()
    (tmp_path / "7").mkdir()
    assert stages.translation.export(tmp_path) == tmp_path / "8"
    assert first == tmp_path / "1" and (first / "saved_model.pb").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "7", "8"]


def test_a_failed_export_leaves_nothing(stages, tmp_path, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        stages.translation.export(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_number_taken_meanwhile_is_skipped(stages, tmp_path, monkeypatch):
    save = tf.saved_model.save

    def slow_save(*arguments):
        (tmp_path / "1").mkdir(exist_ok=True)
        (tmp_path / "1" / "of another process").touch()
        save(*arguments)

    monkeypatch.setattr(tf.saved_model, "save", slow_save)
    assert stages.translation.export(tmp_path) == tmp_path / "2"


def test_the_description_suffices_for_a_client(exports, schema):
    description = described(exports["guided_scann"])
    assert description["stage"] == "guided" and description["schema"] == schema.to_dict()
    assert description["image_size"] == 16 and description["style_dim"] == 40 and description["neighbors"] == 2
    assert description["gallery"] == {"size": 12, "index": "scann", "dtype": "float32"}
    assert described(exports["guided"])["gallery"]["index"] == "exact"
    assert described(exports["translation"])["gallery"] is None


def test_only_what_signatures_need_is_stored(exports, stages):
    def count(path):
        shapes = tf.train.load_checkpoint(str(path / "variables" / "variables")).get_variable_to_shape_map()
        return sum(int(np.prod(shape)) for name, shape in shapes.items() if name.startswith("served"))

    def size(*networks):
        return sum(int(tf.size(weight)) for network in networks for weight in network.weights)

    model = stages.translation
    generator = size(model.content_encoder, model.style_encoder, model.decoder)
    assert generator <= count(exports["translation"]) <= generator + 2
    encoders = size(model.content_encoder, model.style_encoder, stages.retrieval.network)
    # Embeddings, ids, the centre and the norms of the exact index.
    assert count(exports["retrieval"]) == encoders + 12 * 20 + 12 + 20 + 12


def test_the_contents_of_the_gallery_are_no_constants_of_the_graph(exports, stages):
    assert (exports["guided"] / "saved_model.pb").stat().st_size < 2 * 2**20
    shapes = tf.train.load_checkpoint(str(exports["guided"] / "variables" / "variables")).get_variable_to_shape_map()
    assert [12, 4, 4, 16] in shapes.values()
    # Nor are they weights of the model, which checkpoints would hold.
    assert all(weight.shape != (12, 4, 4, 16) for weight in stages.guided.weights)


@pytest.mark.parametrize(
    "options", [{"neighbors": 0}, {"neighbors": 2, "mode": "random"}, {"neighbors": 2, "content_cache_mb": 0}]
)
def test_other_guided_models(stages, images, attributes, tmp_path, options):
    model = GuidedModel(stages.translation, stages.retrieval, stages.gallery, **options)
    path = model.export(tmp_path)
    styles = model.prior.mean(attributes)
    expected = model.translate_with_style(tf.cast(images, tf.float32) / 127.5 - 1.0, styles)[0]
    found = translate(path, images, attributes)
    assert np.abs(found - (expected.numpy() + 1.0) * 127.5).max() <= 0.51


def test_a_compiled_model_exports_its_averages(schema, images, attributes, tmp_path):
    from rgunit_tf import TranslationModel

    model = TranslationModel(schema, 16, width=4, residual_blocks=1, discriminator_layers=2)
    model.compile()
    averages = translate(model.export(tmp_path), images, attributes)
    own = [variable.numpy() for variable in model.trained_variables]
    for variable in model.trained_variables:
        variable.assign(variable + 1.0)
    changed = [variable.numpy() for variable in model.trained_variables]
    assert (translate(model.export(tmp_path), images, attributes) == averages).all()
    for variable, before, value in zip(model.trained_variables, own, changed, strict=True):
        assert (variable.numpy() == value).all() and (value != before).any()


def test_a_retrieval_model_without_gallery_embeds_only(stages, tmp_path):
    path = stages.retrieval.export(tmp_path)
    assert set(described(path)["signatures"]) == {"encode", "sample_styles", "embed"}
    with pytest.raises(UserError, match="needs a gallery"):
        stages.retrieval.export(tmp_path, index="scann")


@pytest.fixture(scope="module")
def workdir(stages, tmp_path_factory):
    config = default_config()
    config.data.image_size = 16
    config.data.crop = 89
    workdir = Workdir(tmp_path_factory.mktemp("run"))
    workdir.claim(config)
    for model in stages[:3]:
        model.compile()
        saving.save(model, workdir.stage(model.name) / "final", {})
    stages.gallery.save(workdir.stage("retrieval") / "gallery")
    yield workdir
    for model, optimizers in zip(stages[:3], (["generator", "discriminator"], ["network"]) * 2, strict=False):
        for name in optimizers:
            if hasattr(model, f"{name}_optimizer"):
                delattr(model, f"{name}_optimizer")


def test_the_command_exports_every_finished_stage(workdir, stages, images, attributes, capsys):
    assert launcher.call(command.main, command.FLAGS, ["export", f"--workdir={workdir.path}"]) == 0
    folders = capsys.readouterr().out.split()
    assert folders == [str(workdir.stage(name) / "export" / "1") for name in ("translation", "retrieval", "guided")]
    for folder in folders:
        assert described(pathlib.Path(folder))["crop_share"] == 0.5
    expected = stages.guided.translate_with_style(
        tf.cast(images, tf.float32) / 127.5 - 1.0, stages.guided.prior.mean(attributes)
    )[0]
    found = translate(folders[2], images, attributes)
    assert np.abs(found - (expected.numpy() + 1.0) * 127.5).max() <= 0.51


def test_a_full_disk_is_one_line_and_leftovers_are_cleared_away(workdir, tmp_path, monkeypatch, capsys):
    copy = shutil.copytree(workdir.path, tmp_path / "run")
    left = copy / "translation" / "export" / ".partial-left"
    left.mkdir(parents=True)
    before = {path for path in copy.rglob("*") if left not in [path, *path.parents]}

    def full(*arguments):
        raise tf.errors.ResourceExhaustedError(None, None, f"{copy}/x; No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    assert launcher.call(command.main, command.FLAGS, ["export", f"--workdir={copy}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{copy}: No space left on device; free space there" in error
    assert set(copy.rglob("*")) <= before


def test_the_command_exports_one_stage_with_another_index(workdir, capsys):
    arguments = ["export", f"--workdir={workdir.path}", "--stage=retrieval", "--index=scann"]
    assert launcher.call(command.main, command.FLAGS, arguments) == 0
    assert described(pathlib.Path(capsys.readouterr().out.strip()))["gallery"] == {
        "size": 12,
        "index": "scann",
        "dtype": "float32",
    }


def test_the_command_halves_the_gallery_and_lists_the_models(workdir, capsys):
    arguments = ["export", f"--workdir={workdir.path}", "--stage=guided", "--gallery_dtype=float16", "--models_root=/m"]
    assert launcher.call(command.main, command.FLAGS, arguments) == 0
    folder = pathlib.Path(capsys.readouterr().out.strip())
    assert described(folder)["gallery"] == {"size": 12, "index": "exact", "dtype": "float16"}
    assert 'base_path: "/m/guided/export"' in (workdir.path / "serving" / "models.config").read_text()


def test_the_crop_of_prepared_images_is_that_of_their_manifest(workdir, stages, tmp_path, monkeypatch):
    config = workdir.config
    config.data.source, config.data.root = "tfrecord", str(tmp_path)
    monkeypatch.setattr(Workdir, "config", config)
    with pytest.raises(UserError, match=r"dataset\.json: no such file; run bin/prepare to the end"):
        export_stage(workdir, "translation", model=stages.translation)
    shard = {"file": "train.tfrecord", "images": 1, "bytes": 1, "sha256": "", "unreadable": []}
    facts = {"plan": {"format": 1}, "schema": {}, "content_names": [], "crop": 172, "splits": {"train": [shard]}}
    (tmp_path / "dataset.json").write_text(json.dumps({**facts, "crop_share": 0.5}))
    assert described(export_stage(workdir, "translation", model=stages.translation))["crop_share"] == 0.5


def test_ids_are_names_of_files(stages, tmp_path):
    """A client that knows `data.root` can open what was retrieved."""
    from PIL import Image

    from rgunit_tf import data

    for number in range(12):
        path = tmp_path / "train" / ("cat" if number % 2 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (number * 20, 9, 9)).save(path)
    dataset = data.load("folder", root=tmp_path, image_size=16)
    gallery = Gallery.build(stages.retrieval, dataset.train)
    path = stages.retrieval.export(tmp_path / "export", gallery)
    retrieve = tf.saved_model.load(str(path)).signatures["retrieve"]
    batch = next(iter(dataset.train.batches(4, training=False)))
    pixels = tf.cast(tf.round((batch["image"] + 1.0) * 127.5), tf.uint8)
    found = retrieve(images=pixels, attributes=tf.zeros([len(pixels), 5]), k=tf.constant(3))
    assert all((tmp_path / name.decode()).is_file() for name in found["ids"].numpy().ravel())


def test_a_deleted_gallery_is_built_again(workdir, stages, monkeypatch):
    from rgunit_tf.runs import training

    gallery = workdir.stage("retrieval") / "gallery"
    gallery.rename(gallery.with_name("deleted"))
    asked = []

    def gallery_of(workdir, dataset):
        asked.append(dataset)
        stages.gallery.save(gallery)

    monkeypatch.setattr(training, "gallery_of", gallery_of)
    monkeypatch.setattr(Workdir, "dataset", lambda self: "dataset")
    assert described(export_stage(workdir, "guided"))["gallery"]["size"] == 12
    assert asked == ["dataset"]


def test_an_unfinished_run_is_one_line(tmp_path, capsys):
    Workdir(tmp_path).claim(default_config())
    assert launcher.call(command.main, command.FLAGS, ["export", f"--workdir={tmp_path}"]) == 2
    assert "no stage is finished" in capsys.readouterr().err
    assert launcher.call(command.main, command.FLAGS, ["export", f"--workdir={tmp_path}", "--stage=translation"]) == 2
    message = capsys.readouterr().err
    assert "translation stage is not finished" in message and len(message.splitlines()) == 1


def test_an_unknown_index_is_refused(stages, tmp_path):
    with pytest.raises(UserError, match="index='hnsw'"):
        export(stages.guided, tmp_path, index="hnsw")
