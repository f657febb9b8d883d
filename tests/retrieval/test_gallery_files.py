"""Galleries on disk: saving, streaming, memory maps, and files that are damaged."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import atomic
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import Gallery, array_file
from rgunit_tf.retrieval.array_file import array_writer

KINDS = ["exact", pytest.param("scann", marks=pytest.mark.skipif(sys.platform != "linux", reason="no wheel"))]


def vectors(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)


def pictures(count):
    return np.random.default_rng(3).integers(0, 256, (count, 4, 4, 3), np.uint8)


def make(count=20, index="exact", images=True, **options):
    ids = [f"{row:03d}.png" for row in range(count)]
    return Gallery.from_embeddings(vectors(count), ids, pictures(count) if images else None, index, **options)


class First:
    """Stands in for a retrieval model: the embedding is the first pixels."""

    def embed_images(self, images):
        return tf.reshape(images, (tf.shape(images)[0], -1))[:, :6]


def batches(count, size=3, fail_at=None):
    for start in range(0, count, size):
        if start == fail_at:
            raise KeyboardInterrupt
        rows = range(start, min(start + size, count))
        yield {"image": pictures(count)[rows.start : rows.stop], "id": np.array([b"id%d" % row for row in rows])}


@pytest.mark.parametrize("sizes", [[0], [1], [3, 0, 5], [7] * 20])
def test_rows_that_are_appended_are_an_array(tmp_path, sizes):
    parts = [vectors(size, seed) for seed, size in enumerate(sizes)]
    with array_writer(tmp_path / "rows.npy", "float32") as writer:
        for part in parts:
            writer.append(part)
    expected = np.concatenate(parts)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), expected)
    np.save(tmp_path / "whole.npy", expected)
    assert (tmp_path / "rows.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.mark.parametrize("rows", [vectors(50), pictures(7), vectors(3).astype(np.float16)])
def test_a_variable_is_filled_block_by_block(rows, monkeypatch):
    monkeypatch.setattr(array_file, "_BLOCK_BYTES", 100)
    variable = array_file.variable_of(rows, "rows")
    assert not variable.trainable and variable.dtype == rows.dtype
    np.testing.assert_array_equal(variable.numpy(), rows)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_to_a_folder_gives_what_memory_gives(tmp_path, kind):
    held = Gallery.build(First(), batches(20), kind)
    streamed = Gallery.build(First(), batches(20), kind, folder=tmp_path / "streamed")
    held.save(tmp_path / "held")
    for path in (tmp_path / "held").iterdir():
        if kind == "exact" or not path.name.startswith(("index_", "manifest")):
            assert path.read_bytes() == (tmp_path / "streamed" / path.name).read_bytes(), path.name
    queries = vectors(3, 1)
    for found, expected in zip(streamed.search(queries, 4), held.search(queries, 4), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert isinstance(streamed._images, np.memmap)
    np.testing.assert_array_equal(streamed.images([[3, 1], [0, 19]]), pictures(20)[[[3, 1], [0, 19]]])
    assert not Gallery.build(First(), batches(4), folder=tmp_path / "bare", keep_images=False).has_images


def test_images_in_their_file_work_in_graphs_and_pipelines(tmp_path):
    make().save(tmp_path / "gallery")
    gallery = Gallery.load(tmp_path / "gallery", keep_images="mapped")
    look_up = tf.function(gallery.images, input_signature=[tf.TensorSpec([None, 2], tf.int32)])
    np.testing.assert_array_equal(look_up([[3, 1]]), pictures(20)[[[3, 1]]])
    assert look_up.get_concrete_function().output_shapes.as_list() == [None, 2, 4, 4, 3]
    found = tf.data.Dataset.range(20).batch(8).map(gallery.images)
    np.testing.assert_array_equal(np.concatenate(list(found.as_numpy_iterator())), pictures(20))
    less = gallery.remove(["000.png"]).add(["new"], pictures(1), vectors(1, 5))
    np.testing.assert_array_equal(less.images([0, 19]), np.concatenate([pictures(20)[1:2], pictures(1)]))
    assert gallery.with_index("exact", block=2).images([4]).numpy().tolist() == pictures(20)[[4]].tolist()


def test_a_build_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Gallery.build(First(), batches(20, fail_at=12), folder=tmp_path / "gallery")
    twice = [*batches(6), *batches(3)]
    with pytest.raises(UserError, match="'id0'"):
        Gallery.build(First(), twice, folder=tmp_path / "gallery")
    with pytest.raises(UserError, match="holds no image"):
        Gallery.build(First(), [], folder=tmp_path / "gallery")
    bad = [{"image": np.full((2, 4, 4, 3), np.nan, np.float32), "id": np.array([b"a", b"b"])}]
    with pytest.raises(UserError, match="row 0 is not finite"):
        Gallery.build(First(), bad, folder=tmp_path / "gallery")
    assert not list(tmp_path.iterdir())


def test_a_killed_build_leaves_nothing_that_looks_whole_and_the_next_one_clears_it(tmp_path):
    program = (
        "import os, pathlib, sys, numpy as np; from rgunit_tf.retrieval import gallery_files\n"
        "def parts():\n"
        "    yield np.zeros((2, 6), np.float32), ['a', 'b'], None\n"
        "    os.kill(os.getpid(), 9)\n"
        "gallery_files.write(sys.argv[1], parts(), 'exact')"
    )
    root = pathlib.Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program, tmp_path / "gallery"], cwd=root).returncode == -9
    (left,) = tmp_path.iterdir()
    for folder in (tmp_path / "gallery", left):
        with pytest.raises(UserError, match="no gallery in this folder"):
            Gallery.load(folder)
    make().save(tmp_path / "gallery")
    assert [path.name for path in tmp_path.iterdir()] == ["gallery"]


def test_the_next_build_leaves_one_alone_that_is_alive(tmp_path):
    from rgunit_tf.retrieval import gallery_files

    with gallery_files._new_folder(tmp_path / "first") as alive:
        (alive / "embeddings.npy").write_bytes(b"")
        make().save(tmp_path / "second")
        assert alive.exists()


def test_half_precision_is_kept(tmp_path):
    make(dtype="float16").save(tmp_path / "gallery")
    loaded = Gallery.load(tmp_path / "gallery")
    assert loaded.embeddings.dtype == tf.float16
    np.testing.assert_array_equal(loaded.embeddings.numpy(), vectors(20).astype(np.float16))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("images", [True, False])
def test_save_and_load(tmp_path, kind, images):
    gallery = make(index=kind, images=images)
    gallery.metadata["retrieval"] = "step 10"
    gallery.save(tmp_path / "gallery")
    loaded = Gallery.load(tmp_path / "gallery")
    assert loaded.index.kind == kind
    assert loaded.metadata == {"retrieval": "step 10"}
    np.testing.assert_array_equal(loaded.ids, gallery.ids)
    np.testing.assert_array_equal(loaded.embeddings.numpy(), vectors(20))
    for found, expected in zip(loaded.search(vectors(3, 1), 4), gallery.search(vectors(3, 1), 4), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert loaded.has_images == images
    if images:
        np.testing.assert_array_equal(loaded.images(np.arange(20)), pictures(20))
    assert not Gallery.load(tmp_path / "gallery", keep_images=False).has_images
    assert Gallery.load(tmp_path / "gallery", index="exact").index.kind == "exact"
    with pytest.raises(UserError, match="exists already"):
        gallery.save(tmp_path / "gallery")
    assert [path.name for path in tmp_path.iterdir()] == ["gallery"]


def test_scann_is_built_again_when_another_version_made_it(tmp_path, monkeypatch):
    pytest.importorskip("scann")
    gallery = make(index="scann")
    gallery.save(tmp_path / "gallery")
    from rgunit_tf.retrieval import scann_index

    monkeypatch.setattr(scann_index, "builder_version", lambda: "9.9")
    monkeypatch.setattr(scann_index.ScannIndex, "_restore", None)
    found = Gallery.load(tmp_path / "gallery").search(vectors(3, 1), 4)[0]
    np.testing.assert_array_equal(found, gallery.search(vectors(3, 1), 4)[0])


@pytest.mark.parametrize("name", ["embeddings.npy", "images.npy", "ids.json"])
@pytest.mark.parametrize("damage", ["one byte", "cut", "gone"])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, name, damage):
    make().save(tmp_path / "gallery")
    path = tmp_path / "gallery" / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "one byte" else content[:-5])
    with pytest.raises(UserError, match=rf"{name} .*delete the folder .*it is built again"):
        Gallery.load(tmp_path / "gallery")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format_version": 1}', '{"format_version": 2}'])
def test_a_damaged_manifest_is_named(tmp_path, text):
    make().save(tmp_path / "gallery")
    (tmp_path / "gallery" / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json .*it is built again"):
        Gallery.load(tmp_path / "gallery")


def test_pickled_arrays_are_not_read(tmp_path):
    make().save(tmp_path / "gallery")
    path = tmp_path / "gallery" / "embeddings.npy"
    np.save(path, np.array([{}]), allow_pickle=True)
    manifest = json.loads((tmp_path / "gallery" / "manifest.json").read_text())
    manifest["sha256"]["embeddings.npy"] = atomic.checksum(path)
    (tmp_path / "gallery" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"embeddings\.npy is not an array"):
        Gallery.load(tmp_path / "gallery")


def test_a_folder_without_a_gallery(tmp_path):
    with pytest.raises(UserError, match="no gallery in this folder"):
        Gallery.load(tmp_path)
