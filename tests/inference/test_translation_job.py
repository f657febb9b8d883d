import dataclasses
import hashlib

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.errors import UserError
from rgunit_tf.inference import Model
from rgunit_tf.inference.frames import read_square
from rgunit_tf.inference.inputs import find_pictures
from rgunit_tf.inference.request import Request
from rgunit_tf.inference.translation_job import TranslationJob

SIZE = 16
READABLE = ["a.jpg", "a.png", "sub/deep/a.webp", "sub/grey.png", "sub/print.jpg", "turned.jpg"]
MALE = Request(to=(("Male",),))


@pytest.fixture
def make_job(description, photos, tmp_path):
    def make_job(request=MALE, description=description, folder=tmp_path / "out", batch_size=2):
        return TranslationJob(description, request, find_pictures([str(photos)], folder), folder, batch_size)

    return make_job


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def hashes(folder):
    names = [name for name in files_in(folder) if name != "manifest.jsonl"]
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_every_kind_of_picture_under_its_name(make_job, model, photos, tmp_path):
    outcome = make_job().run(model)
    assert (outcome.made, outcome.kept) == (6, 0)
    assert list(outcome.failed) == ["broken.jpg"] and "truncated" in outcome.failed["broken.jpg"].lower()
    assert outcome.cropped == 5
    out = tmp_path / "out"
    assert files_in(out) == sorted([*READABLE, "contact_sheet.png", "manifest.jsonl"])
    square, _ = read_square((photos / "a.png").read_bytes(), SIZE)
    expected = model.translate(square[None], ["Male"]).images[0, 0]
    np.testing.assert_array_equal(Image.open(out / "a.png"), expected)
    kinds = [Image.open(out / name).format for name in ("a.jpg", "a.png", "sub/deep/a.webp")]
    assert kinds == ["JPEG", "PNG", "WEBP"]


def test_a_second_run_does_nothing(make_job, model, tmp_path):
    make_job().run(model)
    former = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    model.networks.batches.clear()
    outcome = make_job().run(model)
    assert (outcome.made, outcome.kept, list(outcome.failed)) == (0, 6, ["broken.jpg"])
    assert model.networks.batches == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == former


@pytest.mark.parametrize("die_at", [1, 2, 4])
def test_an_ended_run_is_finished_as_if_it_had_not_been(
    make_job, model, description, networks, schema, tmp_path, die_at
):
    make_job().run(model)
    part = tmp_path / "part"
    with pytest.raises(KeyboardInterrupt):
        make_job(folder=part).run(Model(description, networks(schema, die_at)))
    outcome = make_job(folder=part).run(model)
    assert outcome.made + outcome.kept == 6 and (outcome.kept > 0) == (die_at > 1)
    assert hashes(part) == hashes(tmp_path / "out")


def test_only_what_is_missing_is_written_but_batches_stay_as_they_were(make_job, model, tmp_path):
    make_job().run(model)
    kept = (tmp_path / "out" / "a.png").stat().st_mtime_ns
    (tmp_path / "out" / "a.jpg").unlink()
    model.networks.batches.clear()
    outcome = make_job().run(model)
    assert (outcome.made, outcome.kept) == (1, 5)
    assert model.networks.batches == [2]
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns == kept


def test_other_settings_replace_and_say_so(make_job, model, tmp_path):
    make_job().run(model)
    former = hashes(tmp_path / "out")
    outcome = make_job(Request(to=(("-Male",),))).run(model)
    assert (outcome.made, outcome.kept, outcome.replaced) == (6, 0, 6)
    now = hashes(tmp_path / "out")
    assert now.keys() == former.keys() and all(now[name] != former[name] for name in READABLE)


def test_another_model_is_another_setting(make_job, model, description):
    make_job().run(model)
    other = make_job(description=dataclasses.replace(description, fingerprint="other"))
    assert not any(other.is_done(picture) for picture in other.pictures)


def test_a_folder_with_files_of_others_is_left_alone(make_job, model, photos):
    before = hashes(photos)
    with pytest.raises(UserError, match="was not made by this command"):
        make_job(folder=photos)
    assert hashes(photos) == before


def test_variants_masks_and_animation(make_job, model, tmp_path, photos):
    request = Request(interpolate=(None, ("Male",)), steps=3, show_mask=True, animate="gif")
    make_job(request).run(model)
    out = tmp_path / "out"
    of_a = [f"a.step-{n}.jpg{kind}" for n in (1, 2, 3) for kind in ("", ".mask.png")]
    assert {*of_a, "a.jpg.gif", "a.png.gif"} <= set(files_in(out))
    with Image.open(out / "a.png.gif") as animation:
        # There and back, without either end twice.
        assert animation.n_frames == 4 and animation.size == (SIZE, SIZE)
    square, _ = read_square((photos / "a.png").read_bytes(), SIZE)
    masks = model.interpolate(square[None], None, ["Male"], 3).masks
    written = np.asarray(Image.open(out / "a.step-2.png.mask.png"))
    np.testing.assert_array_equal(written, np.rint(masks[1, 0, ..., 0] * 255))


def test_webp_animation_of_samples(make_job, model, tmp_path):
    make_job(Request(to=(("Male",),), samples=3, animate="webp")).run(model)
    with Image.open(tmp_path / "out" / "turned.jpg.webp") as animation:
        assert animation.n_frames == 3


def test_pasted_back_into_the_whole_photograph(make_job, model, tmp_path, photos):
    make_job(Request(to=(("Male",),), paste_back=True)).run(model)
    out = tmp_path / "out"
    assert Image.open(out / "a.jpg").size == (40, 30)
    assert Image.open(out / "turned.jpg").size == (32, 48)
    before, after = np.asarray(Image.open(photos / "a.png")), np.asarray(Image.open(out / "a.png"))
    assert before.shape == after.shape
    # The square of 30 stands in the middle of 40 rows.
    np.testing.assert_array_equal(before[:5], after[:5])
    np.testing.assert_array_equal(before[35:], after[35:])
    assert (before[10:30] != after[10:30]).mean() > 0.5


@pytest.mark.parametrize("name", ["clear.png", "clear.webp", "named.jpg"])
def test_alpha_of_the_photograph_is_kept_where_its_format_can(make_job, model, tmp_path, photos, name):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 4), np.uint8)
    pixels[:10, :, 3] = 0
    Image.fromarray(pixels).save(photos / name, "WEBP" if name.endswith("webp") else "PNG", lossless=True)
    make_job(Request(to=(("Male",), ("-Male",)), paste_back=True, animate="gif")).run(model)
    result = Image.open(tmp_path / "out" / name.replace(".", ".Male."))
    assert result.size == (40, 30) and result.mode == ("RGB" if name.endswith("jpg") else "RGBA")
    if result.mode == "RGBA":
        assert np.abs(np.asarray(result)[..., 3].astype(int) - pixels[..., 3]).max() == 0


def test_padding_keeps_the_shape(make_job, model, tmp_path):
    outcome = make_job(Request(to=(("Male",),), fit="pad")).run(model)
    assert outcome.cropped == 0
    assert Image.open(tmp_path / "out" / "sub" / "print.jpg").size == (16, 6)


def test_neighbors_of_a_guided_model(make_job, description, networks, schema, tmp_path):
    run = dataclasses.replace(description, kind="workdir", stage="guided", gallery=True, neighbors=2)
    job = make_job(Request(to=(("Male",),), show_neighbors=True), run)
    job.run(Model(run, networks(schema)))
    assert Image.open(tmp_path / "out" / "a.jpg.neighbors.png").size == (2 * SIZE, SIZE)
    assert len(job.manifest.facts("a.jpg")["neighbors"][0]) == 2
    # Beside the row titles: input, result and two neighbors.
    assert Image.open(tmp_path / "out" / "contact_sheet.png").width > 4 * 128


def test_references(make_job, model, photos, tmp_path):
    make_job(Request(references=(photos / "a.png", photos / "turned.jpg"))).run(model)
    square, _ = read_square((photos / "a.png").read_bytes(), SIZE)
    grey, _ = read_square((photos / "sub" / "grey.png").read_bytes(), SIZE)
    expected = model.translate(grey[None], reference=square).images[0, 0]
    np.testing.assert_array_equal(Image.open(tmp_path / "out" / "sub" / "grey.reference-1.png"), expected)
    with pytest.raises(UserError, match=r"--reference=.*broken\.jpg"):
        make_job(Request(references=(photos / "broken.jpg",))).run(model)


def test_names_that_would_meet_are_refused(make_job, photos):
    Image.new("RGB", (9, 9)).save(photos / "a.sample-1.png")
    Image.new("RGB", (9, 9)).save(photos / "a.sample-1.sample-1.png")
    make_job(Request(to=(("Male",),), samples=2))
    Image.new("RGB", (9, 9)).save(photos / "a.jpg.mask.png")
    with pytest.raises(UserError, match=r"two pictures would both give a\.jpg\.mask\.png"):
        make_job(Request(to=(("Male",),), show_mask=True))


def test_the_face_of_each_picture_is_translated(make_job, model, photos, tmp_path, monkeypatch):
    from rgunit_tf.data import decoding

    def face_of(encoded):
        if encoded == (photos / "a.jpg").read_bytes():
            raise decoding.UnreadableImageError("no face was found in it")
        return (photos / "sub" / "grey.png").read_bytes()

    monkeypatch.setattr("rgunit_tf.faces.alignment.check", lambda: None)
    monkeypatch.setattr(decoding, "face_of", face_of)
    outcome = make_job(dataclasses.replace(MALE, align_faces=True)).run(model)
    assert outcome.failed["a.jpg"] == "no face was found in it" and outcome.made >= 4
    results = {(tmp_path / "out" / name).read_bytes() for name in ("a.png", "sub/grey.png")}
    assert len(results) == 1, "all of the same face"
