"""Damaged checkpoints are noticed wherever a bit is changed, and the one before is used."""

import os
import random

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.runs.checkpoints import CheckpointFolder

FILES = ("step-20.index", "step-20.data-00000-of-00001")


@pytest.fixture
def variables():
    return {f"v{number}": tf.Variable(tf.zeros((7, 5))) for number in range(6)}


@pytest.fixture
def folder(variables, tmp_path):
    """Checkpoints of the steps 10 and 20; all numbers of a checkpoint are its step."""
    result = CheckpointFolder(tmp_path, variables, keep=3)
    for step in (10, 20):
        for variable in variables.values():
            variable.assign(tf.fill((7, 5), float(step)))
        result.save(step)
    return result


def restored(folder, variables):
    """What a new process restores: the step, once all variables are seen to be of it."""
    for variable in variables.values():
        variable.assign(tf.fill((7, 5), -1.0))
    step = CheckpointFolder(folder.folder, variables, keep=3).restore()
    for variable in variables.values():
        np.testing.assert_array_equal(variable, np.full((7, 5), step))
    return step


def test_the_newest_is_restored(folder, variables):
    assert folder.steps() == [10, 20]
    assert restored(folder, variables) == 20


def test_an_empty_folder_has_nothing_to_restore(tmp_path, variables):
    assert CheckpointFolder(tmp_path / "none", variables, keep=3).restore() is None


@pytest.mark.parametrize("name", FILES)
def test_a_changed_bit_anywhere_is_noticed(folder, variables, name):
    file = folder.folder / name
    content, chance = file.read_bytes(), random.Random(0)
    noticed = 0
    for position in chance.sample(range(len(content)), 25):
        changed = bytearray(content)
        changed[position] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        # Some bytes of the index are padding; what is restored is whole in any case.
        noticed += restored(folder, variables) == 10
    assert noticed >= 20


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, None])
def test_a_file_cut_off_or_gone_is_noticed(folder, variables, name, share):
    file = folder.folder / name
    content = file.read_bytes()
    if share is None:
        file.unlink()
    else:
        file.write_bytes(content[: int(share * len(content))])
    assert restored(folder, variables) == 10


@pytest.mark.parametrize("content", [b"", b"\x00\xff garbage", b'model_checkpoint_path: "step-99"\n', None])
def test_the_list_of_checkpoints_is_not_needed(folder, variables, content):
    listing = folder.folder / "checkpoint"
    listing.unlink()
    if content is not None:
        listing.write_bytes(content)
    assert restored(folder, variables) == 20
    again = CheckpointFolder(folder.folder, variables, keep=3)
    for step in (30, 40):
        again.save(step)
    assert again.steps() == [20, 30, 40], "old ones are deleted although the list was lost"


def test_no_whole_checkpoint_is_a_clear_end(folder, variables):
    for name in ("step-10.index", "step-20.index"):
        (folder.folder / name).write_bytes(b"")
    with pytest.raises(UserError, match="no checkpoint is whole"):
        CheckpointFolder(folder.folder, variables, keep=3).restore()


def test_leftovers_of_a_save_that_was_cut_off_are_cleared(folder):
    leftovers = [folder.folder / name for name in ("step-30_temp", "step-7.data-00000-of-00001")]
    leftovers[0].mkdir()
    (leftovers[0] / "part-00000-of-00001.data").write_bytes(b"half")
    for file in leftovers[1:]:
        file.write_bytes(b"half")
    folder.save(30)
    assert not any(file.exists() for file in leftovers) and folder.steps() == [10, 20, 30]
    assert tf.train.latest_checkpoint(folder.folder) == str(folder.folder / "step-30")


@pytest.mark.parametrize("step", [20, 30])
def test_a_save_that_is_cut_off_in_the_index_is_no_checkpoint(folder, variables, monkeypatch, step):
    """TensorFlow writes the index last and in its place; a full disk leaves the half of it."""
    write = tf.train.Checkpoint.write

    def full(self, prefix, options=None):
        path = write(self, prefix, options)
        os.truncate(f"{path}.index", 20)
        raise tf.errors.ResourceExhaustedError(None, None, "step.index; No space left on device")

    monkeypatch.setattr(tf.train.Checkpoint, "write", full)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        folder.save(step)
    assert folder.steps() == [10, 20] and restored(folder, variables) == 20
    monkeypatch.undo()
    folder.save(30)
    assert folder.steps() == [10, 20, 30]
