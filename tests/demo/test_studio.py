import base64
import io
import threading
import time

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.demo.examples import Examples
from rgunit_tf.demo.pictures import png
from rgunit_tf.demo.studio import Studio
from rgunit_tf.errors import UserError


def pixels(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


@pytest.fixture
def example(studio):
    return next(iter(studio.shelf.examples.values()))


def test_unreadable_examples_are_left_out(studio):
    assert [picture.name for picture in studio.shelf.examples.values()] == ["set/one.png", "two.png"]


def test_a_translation_is_the_models(studio, example):
    expected = studio.model.translate(example.square[None], studio.schema.vector(["Male", "Young"]))
    answer = studio.translate(example, ["Male", "Young"])
    np.testing.assert_array_equal(pixels(answer["image"]), expected.images[0, 0])
    np.testing.assert_array_equal(pixels(answer["mask"]), np.rint(expected.masks[0, 0, ..., 0] * 255.0))
    found = studio.model.neighbors(example.square[None], expected.styles[0])
    assert [neighbor["id"] for neighbor in answer["neighbors"]] == found.ids[0].tolist()
    assert [neighbor["distance"] for neighbor in answer["neighbors"]] == pytest.approx(found.distances[0].tolist())
    np.testing.assert_array_equal(pixels(answer["neighbors"][1]["image"]), found.images[0, 1])


def test_no_image_of_the_gallery_guides_its_own_translation(make_model):
    model = make_model()
    rows = [(f"set/{row}.jpg", png(image)) for row, image in enumerate(model.networks.GALLERY[:2])]
    for of_run in (True, False):
        studio = Studio(make_model(), Examples(rows, "pictures of the gallery", of_run))
        for picture in studio.shelf.examples.values():
            found = [neighbor["id"] for neighbor in studio.translate(picture, ["Male"])["neighbors"]]
            assert (picture.name in found) is not of_run and len(found) == 2


def test_neighbors_tell_what_the_model_sees_in_them(studio, example):
    found = studio.translate(example, [])["neighbors"][0]
    assert found["seen"] == list(studio.schema.names_of(studio.model.attributes_of(pixels(found["image"])[None])[0]))


def test_targets_change_one_attribute_each(studio, example):
    shown = studio.targets(example)
    own = studio.schema.vector(example.seen)
    held = [name for name in example.seen if name.endswith("_Hair")]
    wanted = [studio.schema.switched(own, name) for name in studio.schema.names if name not in held]
    assert [target["attributes"] for target in shown["targets"]] == [
        list(studio.schema.names_of(one)) for one in wanted
    ]
    images = [pixels(target["image"]).astype(int) for target in shown["targets"]]
    for label, image in zip(wanted, images, strict=True):
        np.testing.assert_array_equal(image, studio.model.translate(example.square[None], label).images[0, 0])
    plain = studio.model.translate(example.square[None], [], strength=0.0).images[0, 0].astype(int)
    assert shown["boldest"] == np.argmax([np.abs(image - plain).mean() for image in images])


def test_seeds_draw_styles(studio, example):
    images = [studio.translate(example, ["Male"], seed)["image"] for seed in (None, 0, 1, 1)]
    assert len(set(images)) == 3 and images[2] == images[3]


def test_the_way_leads_from_the_own_style_to_the_target(studio, example):
    way = studio.way(example, ["Blond_Hair"], seed=3)
    assert len(way) == studio.steps
    np.testing.assert_array_equal(pixels(way[-1]), pixels(studio.translate(example, ["Blond_Hair"], 3)["image"]))
    own = studio.model.translate(example.square[None], ["Blond_Hair"], strength=0.0).images[0, 0]
    np.testing.assert_array_equal(pixels(way[0]), own)
    middle = studio.model.translate(
        example.square[None], studio.schema.vector(["Blond_Hair"]), samples=1, seed=3, strength=0.5
    )
    np.testing.assert_array_equal(pixels(way[studio.steps // 2]), middle.images[0, 0])


def test_a_mask_that_is_on_everywhere_is_none(studio, example, monkeypatch):
    paint = studio.model.networks.translate
    monkeypatch.setattr(
        studio.model.networks, "translate", lambda *inputs: (paint(*inputs)[0], np.ones((1, 16, 16, 1), np.float32))
    )
    assert studio.translate(example, [])["mask"] is None


def test_an_export_gives_ids_alone_and_none_for_drawn_styles(make_model, picture, monkeypatch):
    studio = Studio(make_model(kind="export"))
    monkeypatch.setattr(studio.model.networks, "gallery_images", lambda ids: None)
    asked = studio.picture(studio.look("a.png", picture()))
    assert [set(neighbor) for neighbor in studio.translate(asked, [])["neighbors"]] == [
        {"id", "distance", "image", "seen"}
    ] * 2
    assert studio.translate(asked, [])["neighbors"][0]["image"] is None
    assert studio.translate(asked, [], seed=1)["neighbors"] is None


def test_a_model_without_neighbors_searches_nothing(make_model, picture):
    studio = Studio(make_model(neighbors=0, stage="translation"))
    assert studio.translate(studio.picture(studio.look("a.png", picture())), [])["neighbors"] is None


def test_a_photograph_keeps_its_size(studio, picture):
    asked = studio.picture(studio.look("a.jpg", picture(90, 61, "JPEG")))
    files = [studio.photograph(asked, ["Male"], None, strength) for strength in (0.0, 1.0)]
    assert files[0] != files[1]
    image = Image.open(io.BytesIO(files[0]))
    assert (image.format, image.size) == ("JPEG", (90, 61))
    with pytest.raises(UserError, match="strength"):
        studio.photograph(asked, ["Male"], None, 2.0)


def test_calls_of_the_model_do_not_overlap(studio, example, monkeypatch):
    paint, running, most = studio.model.networks.translate, [], []

    def slow(*inputs):
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()
        return paint(*inputs)

    monkeypatch.setattr(studio.model.networks, "translate", slow)
    threads = [threading.Thread(target=studio.translate, args=(example, [])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


@pytest.mark.parametrize(("seconds", "steps"), [(0.0, 21), (0.12, 11), (0.3, 6), (9.0, 6)])
def test_a_slow_model_has_fewer_steps(make_model, monkeypatch, seconds, steps):
    studio = Studio(make_model())
    times = iter([0.0, seconds])
    monkeypatch.setattr("rgunit_tf.demo.studio.time.monotonic", lambda: next(times))
    assert studio.warm_up() == seconds and studio.steps == steps
    assert studio.model.networks.batches[-1] == steps


@pytest.mark.parametrize("encoded", [b"no picture", b"", b"\x89PNG\r\n\x1a\n" + b"x" * 50])
def test_bad_files_are_one_sentence(studio, encoded):
    with pytest.raises(UserError, match=r"^This file cannot be read as a picture; .*\.$"):
        studio.look("a.png", encoded)


def test_too_many_pixels(studio, picture, monkeypatch):
    monkeypatch.setattr("rgunit_tf.data.decoding.MAX_PIXELS", 100)
    with pytest.raises(UserError, match=r"^This picture is too large: 30x20 pixels are more than 100\.$"):
        studio.look("a.png", picture())


def test_of_what_is_taken_in_the_face_is_shown(make_model, picture, monkeypatch):
    from rgunit_tf.data import decoding

    face, none = picture(), picture(seed=3)
    studio = Studio(make_model(), align_faces=True)

    def face_of(encoded):
        if encoded != face:
            raise decoding.UnreadableImageError("no face was found in it")
        return none

    monkeypatch.setattr(decoding, "face_of", face_of)
    assert studio.picture(studio.look("a.png", face)).encoded == none
    with pytest.raises(UserError, match=r"^No face was found in this picture; choose another\.$"):
        studio.look("b.png", none)
    with pytest.raises(UserError, match=r"^This file cannot be read as a picture"):
        studio.look("c.png", b"no picture")
