import json

import numpy as np
import pytest
from absl import logging

from rgunit_tf.data import decode_cache, decoding
from rgunit_tf.data.records import FileReader
from rgunit_tf.data.store import ImageStore
from rgunit_tf.errors import UserError


@pytest.fixture
def files(make_folder):
    root = make_folder({".": 120})
    return root, [f"{number}.png" for number in range(120)]


@pytest.fixture
def everything_cached(monkeypatch):
    monkeypatch.setattr(decode_cache, "SMALLEST_BYTES", 0)


@pytest.fixture
def warnings(monkeypatch):
    messages = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: messages.append(text % values))
    return messages


@pytest.mark.parametrize("memory", [1 << 30, 0])
def test_unreadable_images_are_skipped_and_named(files, memory, warnings):
    root, names = files
    (root / "7.png").write_bytes(b"broken")
    store = ImageStore(FileReader(root, names), 8, memory=memory)
    assert np.flatnonzero(~store.readable).tolist() == [7]
    assert len(warnings) == 1
    assert "Skipping 1 unreadable image:" in warnings[0]
    assert str(root / "7.png") in warnings[0]


@pytest.mark.parametrize("memory", [1 << 30, 0])
def test_more_than_a_hundredth_stops(files, memory):
    root, names = files
    (root / "9.png").write_bytes((root / "9.png").read_bytes()[:70])
    (root / "7.png").unlink()
    with pytest.raises(UserError, match=r"2 of 120 images cannot be read, .*: .*7\.png .*; .*9\.png .*; repl"):
        ImageStore(FileReader(root, names), 8, memory=memory)


def test_image_that_goes_away_later(files):
    root, names = files
    store = ImageStore(FileReader(root, names), 8, memory=0)
    (root / "3.png").unlink()
    assert store.images([2, 4]).shape == (2, 8, 8, 3)
    with pytest.raises(UserError, match=r"3.png: no longer readable"):
        store.images([2, 3])


def test_second_start_reads_the_cache(files, everything_cached, monkeypatch):
    root, names = files
    (root / "7.png").write_bytes(b"broken")
    first = ImageStore(FileReader(root, names), 8)
    monkeypatch.setattr(decoding, "decode_rows", lambda *_: pytest.fail("decoded again"))
    second = ImageStore(FileReader(root, names), 8)
    np.testing.assert_array_equal(first.images(range(120)), second.images(range(120)))
    np.testing.assert_array_equal(first.readable, second.readable)


def test_second_check_is_kept(files, monkeypatch):
    root, names = files
    (root / "7.png").write_bytes(b"broken")
    ImageStore(FileReader(root, names), 8, memory=0)
    monkeypatch.setattr(decoding, "decode_rows", lambda *_: pytest.fail("checked again"))
    assert np.flatnonzero(~ImageStore(FileReader(root, names), 16, memory=0).readable).tolist() == [7]


def test_cache_knows_what_pixels_depend_on(files, everything_cached, cache):
    root, names = files
    ImageStore(FileReader(root, names), 8)
    ImageStore(FileReader(root, names), 12)
    ImageStore(FileReader(root, names), 8, crop_share=0.5)
    assert len(list(cache.glob("decoded/*.npy"))) == 3
    (root / "5.png").write_bytes((root / "6.png").read_bytes())
    store = ImageStore(FileReader(root, names), 8)
    np.testing.assert_array_equal(store.images([5]), store.images([6]))


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "note", "shape"])
def test_damaged_cache_is_rebuilt(files, everything_cached, cache, warnings, damage):
    root, names = files
    expected = ImageStore(FileReader(root, names), 8).images(range(120))
    (entry,) = cache.glob("decoded/*.npy")
    content = bytearray(entry.read_bytes())
    if damage == "flip":
        content[-5] ^= 1
        entry.write_bytes(content)
    elif damage == "cut":
        entry.write_bytes(content[:-100])
    elif damage == "empty":
        entry.write_bytes(b"")
    elif damage == "note":
        entry.with_suffix(".json").write_text(json.dumps(["?"]))
    else:
        np.save(entry, np.zeros((3, 8, 8, 3), np.uint8))
    np.testing.assert_array_equal(ImageStore(FileReader(root, names), 8).images(range(120)), expected)
    assert any("Decoding again" in message for message in warnings)
    warnings.clear()
    ImageStore(FileReader(root, names), 8)
    assert not warnings


def test_cache_does_not_grow_without_end(files, everything_cached, cache, monkeypatch):
    root, names = files
    monkeypatch.setattr(decode_cache, "LARGEST_TOTAL_BYTES", 2 * 120 * 8 * 8 * 3 + 1000)
    for crop in range(1, 5):
        ImageStore(FileReader(root, names), 8, crop_share=crop / 5)
    assert len(list(cache.glob("decoded/*.npy"))) == 2
    assert len(list(cache.glob("decoded/*.json"))) == 2


def test_unwritable_cache_is_no_error(files, everything_cached, tmp_path, monkeypatch, warnings):
    root, names = files
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RGUNIT_CACHE", str(tmp_path / "file"))
    assert ImageStore(FileReader(root, names), 8).in_memory
    assert any("not kept" in message for message in warnings)


def test_small_data_is_not_cached(files, cache):
    root, names = files
    ImageStore(FileReader(root, names), 8)
    assert not list(cache.iterdir())
