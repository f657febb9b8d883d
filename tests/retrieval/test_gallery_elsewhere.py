"""Galleries in a SavedModel that another process loads, and in every replica of a strategy."""

import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.retrieval import Gallery

KINDS = ["exact", pytest.param("scann", marks=pytest.mark.skipif(sys.platform != "linux", reason="no wheel"))]


def vectors(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)


def pictures(count):
    return np.random.default_rng(3).integers(0, 256, (count, 4, 4, 3), np.uint8)


def make(count=20, index="exact", images=True):
    ids = [f"{row:03d}.png" for row in range(count)]
    return Gallery.from_embeddings(vectors(count), ids, pictures(count) if images else None, index)


class Served(tf.Module):
    """What an export looks like: everything of the gallery behind one signature."""

    def __init__(self, gallery):
        super().__init__()
        self.gallery = gallery

    @tf.function(
        input_signature=[tf.TensorSpec([None, 6]), tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32)]
    )
    def retrieve(self, queries, own, k):
        distances, rows = self.gallery.search_rows(queries, k, self.gallery.rows_of(own))
        return {"ids": self.gallery.ids_at(rows), "distances": distances, "images": self.gallery.images(rows)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_answers_alike_in_a_fresh_process(tmp_path, kind):
    served = Served(make(300, kind).with_index(kind, **({"leaves": 20} if kind == "scann" else {})))
    queries, own = vectors(4, seed=1), ["001.png", "", "299.png", "nobody"]
    expected = served.retrieve(queries, tf.constant(own), 5)
    tf.saved_model.save(served, tmp_path / "model", signatures=served.retrieve)
    assert (tmp_path / "model" / "saved_model.pb").stat().st_size < 200_000
    np.savez(tmp_path / "queries.npz", queries=queries, own=np.array(own))
    program = """
        import sys, pathlib, numpy as np, tensorflow as tf
        folder, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
        if kind == "scann":
            import scann
        given = np.load(folder / "queries.npz")
        model = tf.saved_model.load(str(folder / "model"))
        answer = model.signatures["serving_default"]
        found = answer(queries=tf.constant(given["queries"]), own=tf.constant(given["own"]), k=tf.constant(5))
        np.savez(folder / "found.npz", **{name: value.numpy() for name, value in found.items()})
        none = answer(queries=tf.zeros([0, 6]), own=tf.constant([], tf.string), k=tf.constant(2))
        assert none["ids"].shape == (0, 2) and none["images"].shape == (0, 2, 4, 4, 3), none
        try:
            answer(queries=tf.zeros([1, 6]), own=tf.constant([""]), k=tf.constant(300))
        except tf.errors.InvalidArgumentError as error:
            assert "from 1 to 299" in str(error), error
        else:
            raise AssertionError("k=300 was accepted")
    """
    run(program, tmp_path, kind)
    with np.load(tmp_path / "found.npz", allow_pickle=True) as found:
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_every_replica_of_a_mirrored_strategy_can_search(tmp_path, kind):
    program = """
        import sys, numpy as np, tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        from rgunit_tf.retrieval import Gallery
        vectors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
        images = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1).repeat(3, axis=3)
        ids = [str(row) for row in range(40)]
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        gallery = Gallery.from_embeddings(vectors, ids, images, sys.argv[2])
        with strategy.scope():
            scale = tf.Variable(1.0)

        def step(queries, own):
            rows = gallery.search_rows(queries * scale, 3, gallery.rows_of(own))[1]
            random = gallery.random_rows(tf.tile([[1, 2]], [tf.shape(queries)[0], 1]), 3, gallery.rows_of(own))
            return rows, gallery.images(rows), random

        data = tf.data.Dataset.from_tensor_slices((vectors, tf.constant(ids))).batch(8)
        once = tf.function(lambda *batch: strategy.run(step, args=batch))
        found = [[], [], []]
        for batch in strategy.experimental_distribute_dataset(data):
            for values, result in zip(found, once(*batch)):
                values.extend(strategy.experimental_local_results(result))
        assert len(found[0]) == 10
        found = [np.concatenate(values) for values in found]
        order = np.argsort(np.linalg.norm(vectors[:, None] - vectors[None], axis=-1), axis=1)[:, 1:4]
        np.testing.assert_array_equal(found[0], order)
        np.testing.assert_array_equal(found[1][..., 0, 0, 0], order)
        assert not (found[2] == np.arange(40)[:, None]).any()
    """
    run(program, tmp_path, kind)


def run(program, *arguments):
    root = pathlib.Path(__file__).parents[2]
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr[-3000:]
