"""Tables 1 and 2 from nothing at a tiny size: what is shared, what is trained, what a second call does."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.config import default_config
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.judge import classifier_training
from rgunit_tf.evaluation.judge import networks as judge_networks
from rgunit_tf.evaluation.metrics import lpips
from rgunit_tf.experiments.reproduce import Reproduction, duration
from rgunit_tf.experiments.step_times import seconds_per_step
from rgunit_tf.experiments.tables import CONTINUED, RANDOM, all_tables

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    from rgunit_tf.data.avatars import draw_dataset

    config = default_config()
    config.data.source = "celeba"
    config.data.root = str(draw_dataset(tmp_path_factory.mktemp("avatars") / "set", 60, seed=0, workers=1))
    config.data.image_size = 16
    config.data.test_images = 12
    config.model.update(width=4, residual_blocks=1, style_dim=2, mlp_width=8)
    config.model.update(discriminator_width=4, discriminator_layers=2, discriminator_scales=1)
    config.translation.update(steps=6, batch_size=4)
    config.retrieval.update(steps=4, batch_size=4, embedding_dim=8, hidden=16, content_channels=4)
    config.guided.update(steps=5, batch_size=4, neighbors=2)
    config.train.update(log_every=3, checkpoint_every=3, sample_every=100, tensorboard=False)
    return config


def shortened_tables():
    """Table 1 of two strategies and random images, and Table 2."""
    tables = all_tables()
    rows = tuple(row for row in tables[1].rows if row.label in ("All", "Random negatives", RANDOM))
    return [dataclasses.replace(tables[1], rows=rows), tables[2]]


class Quarters:
    """Mean colours of the four quarters of an image, in the place of EfficientNet."""

    key, name, identity, to_inputs = "efficientnet", "quarters", "identity_rank1", None
    to_train = ("frechet_efficientnet_distance", "kernel_efficientnet_distance")

    def __call__(self, images):
        quarters = images.reshape(len(images), 2, 8, 2, 8, 3).astype(np.float32).mean((2, 4))
        return quarters.reshape(len(images), -1), None


@pytest.fixture(scope="module", autouse=True)
def short_evaluation():
    """No large network, and a judge that is trained in few rounds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier_training, "ROUNDS", 4)
        patch.setattr(judge_networks, "load", lambda *names: [Quarters()])
        patch.setattr(lpips, "load", lambda *names: None)
        yield


@pytest.fixture(scope="module")
def output(config, tmp_path_factory):
    """Tables 1 and 2, one seed."""
    output = tmp_path_factory.mktemp("reproduced")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RGUNIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(classifier_training.RECIPE, "steps", 20)
        reproduction = Reproduction(config, output, shortened_tables(), [0])
        reproduction.run()
        reproduction.write()
    return output


def weights(folder):
    reader = tf.train.load_checkpoint(str(folder / "weights"))
    return {name: reader.get_tensor(name) for name in sorted(reader.get_variable_to_shape_map())}


def test_every_row_is_filled(output):
    for number in (1, 2):
        table = json.loads((output / f"tables/table{number}.json").read_text())
        for row in table["rows"]:
            assert len(row["seeds"]) == 1, row["label"]
            if number == 1:
                assert all(metric in row["seeds"][0] for metric in table["columns"].values()), row["label"]
        assert all(len(claim["values"]) == 1 for claim in table["comparisons"])
        assert (output / f"tables/table{number}.md").read_text().startswith(f"Table {number}. ")
    metric = table["columns"]["FID"]
    assert metric == "frechet_classifier_distance"
    claims = {claim["text"]: claim for claim in table["comparisons"]}
    kept = claims[f"RG-UNIT against {CONTINUED}, Right where it had to stay, points"]
    assert kept["over_images"][0] <= kept["values"][0] <= kept["over_images"][1] and kept["over_seeds"] is None
    by_label = {row["label"]: row["seeds"][0] for row in table["rows"]}
    assert by_label["RG-UNIT"][metric]["value"] != by_label[CONTINUED][metric]["value"]


def test_runs_start_from_the_same_translation_and_differ_where_they_should(output):
    seed = output / "seed0"
    translations = [weights(seed / run / "translation/final") for run in ("guided", "random", "triplets_random")]
    for other in translations[1:]:
        assert all(np.array_equal(other[name], value) for name, value in translations[0].items())
    described = {
        run: json.loads((seed / run / "guided/final/stage.json").read_text())["model"]
        for run in ("guided", "random", "continued")
    }
    assert (described["guided"]["neighbors"], described["guided"]["mode"]) == (2, "retrieved")
    assert described["random"] == {**described["guided"], "mode": "random"}
    assert described["continued"]["neighbors"] == 0
    embeddings = [weights(seed / run / "retrieval/final") for run in ("guided", "triplets_random")]
    assert any(not np.array_equal(embeddings[0][name], embeddings[1][name]) for name in embeddings[0])


def test_the_judge_is_one(output):
    fingerprints = set()
    for file in output.glob("seed0/*/evaluation/metrics.json"):
        fingerprints.add(json.loads(file.read_text())["classifier"]["fingerprint"])
    assert len(fingerprints) == 1
    assert not list(output.glob("seed0/*/evaluation/classifier"))


def test_a_second_call_trains_nothing_and_a_lost_figure_is_measured_again(config, output, monkeypatch):
    again = Reproduction(config, output, shortened_tables(), [0])
    assert all(again.missing(job) == ([], []) for job in again.jobs)

    from rgunit_tf.experiments import reproduce

    monkeypatch.setattr(reproduce, "train_stage", None)
    monkeypatch.setattr(reproduce, "evaluate_workdir", None)
    again.run()
    lines, total = again.outlook({"translation": 1.0, "retrieval": 1.0, "guided": 1.0})
    assert total == 0
    assert all(line.endswith(": done") for line in lines)


def test_the_outlook_counts_shared_stages_once(config, tmp_path):
    tables = all_tables()
    fresh = Reproduction(config, tmp_path, list(tables.values()), [0, 1])
    lines, total = fresh.outlook({"translation": 1.0, "retrieval": 10.0, "guided": 100.0})
    # A seed: 3 translations (100, 50, 25 %), as many and 5 more retrievals; guided, r = 1, 3 and 10, three controls,
    # three of random images and two shares. r = 2 of the config is the base run.
    assert total == 2 * (3 * 6 + (3 + 5) * 4 * 10 + (1 + 3 + 3 + 3 + 2) * 5 * 100)
    assert len(lines) == len(set(lines)) == len(fresh.jobs)


def test_step_times_are_of_all_stages(config, tmp_path, monkeypatch):
    from rgunit_tf import data

    monkeypatch.setenv("RGUNIT_CACHE", str(tmp_path))
    seconds = seconds_per_step(config, data.from_config(config.data))
    assert sorted(seconds) == ["guided", "retrieval", "translation"]
    assert all(0 < value < 60 for value in seconds.values())


def test_durations():
    assert duration(59) == "59 s"
    assert duration(61) == "1 min"
    assert duration(3600 * 2 + 300) == "2 h 5 min"


def test_one_run_alone_is_refused_before_what_it_starts_from(config, tmp_path):
    fresh = Reproduction(config, tmp_path, [all_tables()[2]], [0])
    with pytest.raises(
        UserError, match=r"--only=seed0/random: translation and retrieval of seed0/guided must be there"
    ):
        fresh.run_one("seed0/random")
    with pytest.raises(UserError, match=r"--only=seed1/guided: no run of these tables; they are seed0/guided, "):
        fresh.run_one("seed1/guided")
    assert not list(tmp_path.iterdir())


def test_one_run_alone_is_measured_again(config, output):
    file = output / "seed0/random/evaluation/metrics.json"
    before = json.loads(file.read_text())["stages"]["guided"]["metrics"]
    file.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RGUNIT_CACHE", str(output / "cache"))
        patch.setitem(classifier_training.RECIPE, "steps", 20)
        Reproduction(config, output, [all_tables()[2]], [0]).run_one("seed0/random")
    after = json.loads(file.read_text())["stages"]["guided"]["metrics"]
    assert after["accuracy"]["value"] == before["accuracy"]["value"]
