"""The training loop of a stage: numerical faults, rollbacks, signals, resumption."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import config as settings_module
from rgunit_tf.runs import fitting, rollbacks
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.stages.faults import NumericalFault

pytestmark = pytest.mark.slow

STEPS = 9


class Batches:
    """Stands in for a split: batch n is a function of the seed and n; the batches `bad`, (seed, n), are no numbers."""

    def __init__(self, make_batch, bad=lambda seed, step: False, at_step=None):
        batch = make_batch()
        self.make_batch, self.bad, self.at_step = make_batch, bad, at_step
        self.labels, self.ids = batch["label"].numpy(), np.array(["0", "1", "2", "3"])
        self.images = tf.cast((batch["image"] + 1.0) * 127.5, tf.uint8).numpy()

    def __len__(self):
        return 4

    def image(self, index):
        return self.images[index]

    def batch(self, batch_size, seed, step):
        batch = dict(self.make_batch(batch_size, seed=step + seed % 97, prefix=f"{step}/"))
        return {**batch, "image": batch["image"] * np.nan} if self.bad(seed, step) else batch

    def stream(self, batch_size, seed, start_step=0):
        batches = [self.batch(batch_size, seed, step) for step in range(start_step, STEPS + 3)]
        stream = tf.data.Dataset.from_tensor_slices({name: tf.stack([b[name] for b in batches]) for name in batches[0]})
        if self.at_step is None:
            return stream
        return stream.enumerate(start_step).map(lambda step, batch: self.called(step, batch))

    def called(self, step, batch):
        step.set_shape(())
        with tf.control_dependencies([tf.py_function(lambda step: self.at_step(int(step)), [step], [])]):
            return tf.nest.map_structure(tf.identity, batch)


@pytest.fixture
def train(tmp_path, make_batch, make_translation):
    """Trains a translation model for nine steps, a checkpoint each two; returns it and its folder."""

    def train(name="run", on_nan="stop", **arguments):
        config = settings_module.default_config()
        config.translation.update(steps=STEPS, batch_size=4)
        config.train.update(log_every=2, checkpoint_every=2, sample_every=100, tensorboard=False, on_nan=on_nan)
        workdir = Workdir(tmp_path / name)
        workdir.claim(config)
        split = Batches(make_batch, **arguments)
        dataset = type("Dataset", (), {"train": split, "validation": split})
        model = make_translation()
        fitting.fit(workdir, "translation", model, dataset)
        return model, workdir.stage("translation")

    return train


def bad_at_5(seed, step):
    """What a fault of the first seed's random numbers looks like."""
    return seed == 0 and step == 5


def test_a_fault_stops_the_run_or_is_rolled_back(train, tmp_path):
    with pytest.raises(NumericalFault) as error:
        train(bad=bad_at_5)
    message = str(error.value)
    assert message.startswith("translation: step 5: ") and "reconstruction" in message
    assert "on the batch of 5/0, 5/1, 5/2, 5/3" in message
    assert "the checkpoint of step 4 is kept" in message and "--config.train.on_nan=rollback" in message
    folder = tmp_path / "run/translation"
    assert not (folder / "final").exists() and not (folder / "rollbacks.json").exists()
    assert [line.partition(",")[0] for line in (folder / "history.csv").read_text().splitlines()] == ["step", "2", "4"]
    # The setting may be changed for the half-trained run, which then meets the fault again and ends with other numbers.
    model, _ = train(on_nan="rollback", bad=bad_at_5)
    (entry,) = json.loads((folder / "rollbacks.json").read_text())
    assert (entry["step"], entry["restored"]) == (5, 4) and entry["ids"][0] == "5/0"
    assert int(model.step) == STEPS and model.noise_seed != model.seed
    assert all(np.isfinite(value).all() for network in model.networks.values() for value in network.get_weights())
    assert (folder / "final/stage.json").exists()


@pytest.mark.soak
def test_a_rollback_is_remembered_by_a_resumed_run(train):
    model, folder = train("undisturbed", "rollback", bad=bad_at_5)

    def interrupt(step):
        if step == 7 and (folder.parent.parent / "interrupted/translation/rollbacks.json").exists():
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as left:
        train("interrupted", "rollback", at_step=interrupt, bad=bad_at_5)
    assert left.value.code == 128 + signal.SIGTERM
    resumed, _ = train("interrupted", "rollback", bad=bad_at_5)
    for name, network in model.networks.items():
        for mine, theirs in zip(network.get_weights(), resumed.networks[name].get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_run_stopped_after_its_last_step_is_finished(train, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fitting.finished, "save", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        train()
    folder = tmp_path / "run/translation"
    assert not (folder / "final").exists()
    pictures = sorted(file.name for file in (folder / "samples").iterdir())
    shutil.rmtree(folder / "samples")
    model, _ = train()
    assert int(model.step) == STEPS and (folder / "final/stage.json").exists()
    assert sorted(file.name for file in (folder / "samples").iterdir()) == pictures


def test_faults_without_end_stop_the_run(train, tmp_path, monkeypatch):
    monkeypatch.setattr(rollbacks, "MOST", 1)  # each traces the step anew
    with pytest.raises(NumericalFault, match=r"step 1: .* this was fault 2: lower translation\.learning_rate"):
        train(on_nan="rollback", bad=lambda seed, step: step == 1)
    assert len(json.loads((tmp_path / "run/translation/rollbacks.json").read_text())) == 1
