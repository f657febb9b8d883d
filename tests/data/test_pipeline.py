import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import data
from rgunit_tf.data import pipeline

KEYS = {"image", "label", "target", "id"}


@pytest.fixture
def train(celeba):
    return data.load("celeba", celeba.root, image_size=16, test_images=4).train


def collect(dataset, count=None):
    dataset = dataset if count is None else dataset.take(count)
    return [{key: value.numpy() for key, value in batch.items()} for batch in dataset]


def assert_same(left, right):
    assert len(left) == len(right) > 0
    for one, other in zip(left, right, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def index_of(split, batch):
    position = {name.encode(): index for index, name in enumerate(split.ids)}
    return np.array([position[name] for name in batch["id"]])


def as_float(images):
    return images.astype(np.float32) / 127.5 - 1.0


def test_stream_batches_have_static_shapes(train):
    spec = train.stream(3, seed=0).element_spec
    assert {key: tuple(value.shape) for key, value in spec.items()} == {
        "image": (3, 16, 16, 3), "label": (3, 5), "target": (3, 5), "id": (3,),
    }  # fmt: skip
    assert spec["image"].dtype == spec["label"].dtype == spec["target"].dtype == tf.float32


@pytest.mark.parametrize("cache_mb", [2048, 0])
def test_stream_resumes_exactly(celeba, cache_mb):
    def train():
        return data.load("celeba", celeba.root, image_size=16, test_images=4, cache_mb=cache_mb).train

    whole = collect(train().stream(7, seed=3), 12)
    for start in (0, 1, 5, 11):
        assert_same(collect(train().stream(7, seed=3, start_step=start), 12 - start), whole[start:])
    far = collect(train().stream(7, seed=3, start_step=10**9), 1)[0]
    assert far["image"].shape == (7, 16, 16, 3)


def test_pixels_do_not_depend_on_the_cache(celeba):
    held, read = (data.load("celeba", celeba.root, image_size=16, cache_mb=size) for size in (2048, 0))
    assert held.train.store.in_memory
    assert not read.train.store.in_memory
    assert_same(collect(held.train.stream(5, seed=1), 4), collect(read.train.stream(5, seed=1), 4))
    np.testing.assert_array_equal(held.test.images(), read.test.images())


def test_stream_depends_on_the_seed(train):
    first, other = (collect(train.stream(8, seed=seed), 1)[0] for seed in (0, 1))
    assert (first["id"] != other["id"]).any()


def test_each_epoch_of_the_stream_is_another_permutation(train):
    total = len(train)
    samples = np.concatenate([batch["id"] for batch in collect(train.stream(5, seed=0), total)])
    epochs = samples.reshape(5, total)
    for epoch in epochs:
        assert len(set(epoch)) == total
    assert len({tuple(epoch) for epoch in epochs}) == 5


def test_batch_larger_than_the_split(train):
    few = train.subset(range(3))
    batch = collect(few.stream(10, seed=0), 1)[0]
    assert {name: int((batch["id"] == name).sum()) for name in set(batch["id"])}.keys() == set(few.ids.astype("S"))
    for start in (0, 3, 6):
        assert len(set(batch["id"][start : start + 3])) == 3


def test_single_image(train):
    one = train.subset([4])
    batch = collect(one.stream(2, seed=0), 1)[0]
    np.testing.assert_array_equal(batch["target"], batch["label"])
    assert set(batch["id"]) == {one.ids[0].encode()}


def test_permutations_are_spread_evenly():
    # The shuffle op looks at 8 bits of each key word for few rows: counting up would repeat 256 permutations.
    order = tf.function(lambda start: pipeline._shuffled(start + tf.range(20, dtype=tf.int64), 20, 0))
    orders = np.stack([order(tf.constant(start, tf.int64)).numpy() for start in range(0, 20_000, 20)])
    assert len({tuple(order) for order in orders}) > 990
    counts = np.stack([np.bincount(column, minlength=20) for column in orders.T])
    # 50 expected, deviation 7.
    assert counts.min() > 15
    assert counts.max() < 90


def test_images_are_the_originals_or_their_mirror_and_labels_stay(train):
    mirrored = 0
    for batch in collect(train.stream(8, seed=0), 16):
        index = index_of(train, batch)
        np.testing.assert_array_equal(batch["label"], train.labels[index])
        for image, original in zip(batch["image"], as_float(train.images(index)), strict=True):
            flipped = np.array_equal(image, original[:, ::-1])
            assert flipped or np.array_equal(image, original)
            mirrored += flipped
    assert 40 < mirrored < 88


def test_flip_can_be_switched_off(celeba):
    train = data.load("celeba", celeba.root, image_size=16, flip=False).train
    for batch in collect(train.stream(8, seed=0), 4):
        np.testing.assert_array_equal(batch["image"], as_float(train.images(index_of(train, batch))))


def test_random_crop_is_a_window_of_the_larger_image(celeba):
    dataset = data.load("celeba", celeba.root, image_size=16, resize_margin=0.25, flip=False)
    train, large = dataset.train, dataset.train._augmentation.large
    assert large.size == 20
    corners = set()
    for batch in collect(train.stream(8, seed=0), 8):
        sources = as_float(large.images(train.rows[index_of(train, batch)]))
        for image, source in zip(batch["image"], sources, strict=True):
            found = [
                (top, left)
                for top in range(5)
                for left in range(5)
                if np.array_equal(source[top : top + 16, left : left + 16], image)
            ]
            assert found
            corners.update(found)
    assert len(corners) > 15
    batch = collect(dataset.test.batches(4, training=False))[0]
    np.testing.assert_array_equal(batch["image"], as_float(dataset.test.images(range(4))))


def test_targets_occur_and_differ(train):
    known = {tuple(label) for label in train.labels}
    for batch in collect(train.stream(8, seed=0), 20):
        assert (batch["target"] != batch["label"]).any(axis=1).all()
        assert {tuple(target) for target in batch["target"]} <= known


def test_targets_are_as_frequent_as_in_training():
    labels = np.eye(3, dtype=np.float32)[[0] * 6 + [1] * 3 + [2] * 1]
    sampler = pipeline.TargetSampler(labels)
    for row, expected in [(0, [0, 0.75, 0.25]), (7, [6 / 7, 0, 1 / 7]), (9, [2 / 3, 1 / 3, 0])]:
        drawn = sampler(tf.fill([20_000], tf.constant(row, tf.int64)), tf.constant([1, row], tf.int64))
        np.testing.assert_allclose(drawn.numpy().mean(axis=0), expected, atol=0.015)


def test_images_are_in_range(train):
    images = np.concatenate([batch["image"] for batch in collect(train.batches(8, training=False))])
    assert images.dtype == np.float32
    assert -1.0 <= images.min() < images.max() <= 1.0


def test_training_batches_cover_each_image_once_an_epoch(train):
    dataset = train.batches(7, drop_remainder=False)
    orders = [np.concatenate([batch["id"] for batch in collect(dataset)]) for _ in range(2)]
    for order in orders:
        assert sorted(order) == sorted(train.ids.astype("S"))
    assert (orders[0] != orders[1]).any()


def test_training_batches_are_augmented_anew_and_reproducibly(train):
    one = train.subset(range(4))
    dataset = one.batches(4, seed=2)
    epochs = [collect(dataset)[0] for _ in range(6)]
    flips = [np.sort([image[0, 0].tobytes() for image in epoch["image"]]).tolist() for epoch in epochs]
    assert any(flips[0] != flip for flip in flips[1:])
    again = one.batches(4, seed=2)
    assert_same(epochs, [collect(again)[0] for _ in range(6)])


def test_training_drops_the_remainder_unless_nothing_is_left(train):
    assert [len(batch["id"]) for batch in collect(train.subset(range(10)).batches(4))] == [4, 4]
    assert [len(batch["id"]) for batch in collect(train.subset(range(3)).batches(4))] == [3]


def test_evaluation_batches_keep_order_and_remainder(train):
    ten = train.subset(range(10))
    batches = collect(ten.batches(4, training=False))
    assert [len(batch["id"]) for batch in batches] == [4, 4, 2]
    assert set(batches[0]) == KEYS - {"target"}
    assert np.concatenate([batch["id"] for batch in batches]).astype(str).tolist() == ten.ids.tolist()
    np.testing.assert_array_equal(np.concatenate([batch["image"] for batch in batches]), as_float(ten.images()))
    assert [len(batch["id"]) for batch in collect(ten.batches(4, training=False, drop_remainder=True))] == [4, 4]


_TWO_REPLICAS = """
import sys
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from rgunit_tf import data
train = data.load("celeba", sys.argv[1], image_size=16).train
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
batches = iter(strategy.experimental_distribute_dataset(train.stream(8, seed=0)))
for expected in train.stream(8, seed=0).take(3):
    parts = strategy.experimental_local_results(next(batches))
    assert [part["image"].shape[0] for part in parts] == [4, 4]
    for key, value in expected.items():
        np.testing.assert_array_equal(np.concatenate([part[key].numpy() for part in parts]), value.numpy())
"""


def test_two_replicas_share_the_global_batch(celeba):
    # Logical devices have to be made before TensorFlow starts.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", _TWO_REPLICAS, str(celeba.root)], check=True, env=environment)


def test_iterators_share_the_images(celeba):
    """Of 30 MB of images in memory ten iterators make no copies."""
    train = data.load("celeba", celeba.root, image_size=512, test_images=1, validation_fraction=0.0).train
    next(iter(train.stream(1, seed=0)))
    before = _resident_mib()
    iterators = [iter(train.stream(1, seed=seed)) for seed in range(10)]
    assert all(next(iterator)["image"].shape == (1, 512, 512, 3) for iterator in iterators)
    images = len(train) * 512 * 512 * 3 / 2**20
    assert images > 25
    # An iterator has some batches of 3 MiB ahead.
    assert _resident_mib() - before < 5 * images


def _resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
