import dataclasses

import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.inference import outputs
from rgunit_tf.inference.request import Request, parse_interpolation


@pytest.mark.parametrize(
    ("request_", "variants"),
    [
        (Request(to=(("Young",),)), [""]),
        (Request(to=(("Young",),), samples=1), [""]),
        (Request(to=(("Young",),), samples=2), ["sample-1", "sample-2"]),
        (Request(to=(("Young", "-Male"), ("Male",))), ["Young+-Male", "Male"]),
        (Request(to=(("Young",), ("Male",)), samples=2), ["Young.sample-1", "Young.sample-2", "Male.sample-1"]),
        (Request(interpolate=(None, ("Male",)), steps=3), ["step-1", "step-2", "step-3"]),
        (Request(references=("a.jpg", "b.jpg")), ["reference-1", "reference-2"]),
        (Request(references=("a.jpg",)), [""]),
    ],
)
def test_variants(request_, variants):
    assert request_.variants[: len(variants)] == variants


def test_names_of_results():
    request = Request(to=(("Young",),), samples=2, show_mask=True, animate="gif")
    assert outputs.names_of("sub/a.b.jpg", request) == [
        "sub/a.b.sample-1.jpg",
        "sub/a.b.sample-1.jpg.mask.png",
        "sub/a.b.sample-2.jpg",
        "sub/a.b.sample-2.jpg.mask.png",
        "sub/a.b.jpg.gif",
    ]
    plain = Request(to=(("Young",),))
    assert [outputs.names_of(name, plain) for name in ("a.jpg", "a.PNG", "a.tiff", "a")] == [
        ["a.jpg"],
        ["a.PNG"],
        ["a.tiff.png"],
        ["a.png"],
    ]


def test_interpolations():
    assert parse_interpolation("Black_Hair..Blond_Hair,-Young") == (("Black_Hair",), ("Blond_Hair", "-Young"))
    assert parse_interpolation("..Young") == (None, ("Young",))
    for text in ("Young", "Young..", ""):
        with pytest.raises(UserError, match=r"write it as from\.\.to"):
            parse_interpolation(text)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({}, "give one of --to, --reference and --interpolate"),
        ({"to": (("Young",),), "interpolate": (None, ("Male",))}, "give one of"),
        ({"to": (("Yuong",),)}, "--to: unknown attribute 'Yuong'; did you mean Young"),
        ({"interpolate": (("Yuong",), ("Male",))}, "--interpolate: unknown attribute"),
        ({"interpolate": (None, ("Male",)), "samples": 2}, "--samples"),
        ({"interpolate": (None, ("Male",)), "strength": 0.5}, "--strength"),
        ({"to": (("Young",),), "animate": "gif"}, "--animate=gif needs several variants"),
        ({"to": (("Young",),), "show_neighbors": True}, "has no neighbors"),
    ],
)
def test_what_cannot_be_done(description, wish, message):
    with pytest.raises(UserError, match=message):
        Request(**wish).check(description)


def test_what_an_export_cannot_do(description):
    guided = dataclasses.replace(description, stage="guided", neighbors=2)
    with pytest.raises(UserError, match="give the run's folder as --model"):
        Request(to=(("Young",),), show_neighbors=True).check(guided)
    with pytest.raises(UserError, match="export of the retrieval stage"):
        Request(to=(("Young",),)).check(dataclasses.replace(description, stage="retrieval"))


def test_aligned_faces_are_another_setting_and_are_not_pasted_back(description, monkeypatch):
    monkeypatch.setattr("rgunit_tf.faces.alignment.check", lambda: None)
    plain, aligned = Request(to=(("Young",),)), Request(to=(("Young",),), align_faces=True)
    aligned.check(description)
    assert aligned.settings(description) != plain.settings(description)
    assert "align_faces" not in plain.settings(description), "results of earlier versions stay"
    with pytest.raises(UserError, match="--align_faces cuts faces out, --paste_back"):
        dataclasses.replace(aligned, paste_back=True).check(description)


def test_settings_hold_what_results_depend_on(description, tmp_path):
    def settings(**changes):
        return Request(**{"to": (("Young",),), **changes}).settings(description)

    assert settings() == settings(seed=3) == settings(steps=5)
    assert settings(samples=2) != settings(samples=2, seed=3)
    assert settings() != settings(strength=0.5) != settings(fit="pad") != settings(paste_back=True)
    other = dataclasses.replace(description, fingerprint="other weights")
    assert settings() != Request(to=(("Young",),)).settings(other)
    reference = tmp_path / "a.jpg"
    reference.write_bytes(b"one")
    former = settings(to=(), references=(reference,))
    reference.write_bytes(b"two")
    assert settings(to=(), references=(reference,)) != former
    reference.unlink()
    with pytest.raises(UserError, match="No such file"):
        settings(to=(), references=(reference,))
