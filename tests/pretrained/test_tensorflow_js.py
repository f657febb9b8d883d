import base64
import io
import json
import tarfile

import numpy as np
import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.pretrained import tensorflow_js
from rgunit_tf.pretrained.tensorflow_js import Package

PLAIN = np.arange(6, dtype=np.float32).reshape(2, 3)
HALF = np.array([0.5, -2.0], np.float16)
BYTES = np.array([[0, 255], [7, 1]], np.uint8)
ENTRIES = [
    {"name": "plain", "shape": [2, 3], "dtype": "float32"},
    {"name": "half", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
    {
        "name": "a/bytes",
        "shape": [2, 2],
        "dtype": "float32",
        "quantization": {"dtype": "uint8", "scale": 0.5, "min": -0.25},
    },
    {"name": "axes", "shape": [], "dtype": "int32"},
]
BLOB = PLAIN.tobytes() + HALF.tobytes() + BYTES.tobytes() + np.int32(7).tobytes()
# As a minifier writes it: no quotes around keys, no 0 before the point, strings that hold what looks like code.
SCRIPT = (
    'module.exports={modelTopology:{note:"weightsManifest] {x:.5"},weightsManifest:[{paths:["s"],weights:['
    '{name:"plain",shape:[2,3],dtype:"float32"},{name:"half",shape:[2],dtype:"float32",quantization:{dtype:"float16"}},'
    '{name:"a/bytes",shape:[2,2],dtype:"float32",quantization:{min:-.25,scale:.5,dtype:"uint8"}},'
    '{name:"axes",shape:[],dtype:"int32"}]}]}},{},[1])'
)


def files():
    description = json.dumps({"name": "judge", "version": "1.2.3"})
    return {
        "package.json": description.encode(),
        "model.json": json.dumps({"weightsManifest": [{"paths": ["a"], "weights": ENTRIES}]}).encode(),
        "manifest.json": json.dumps([{"paths": ["a"], "weights": ENTRIES}]).encode(),
        "model.bin": BLOB,
        "model.min.js": SCRIPT.encode(),
        "one.min.js": b'e.exports="' + base64.b64encode(BLOB[:24]) + b'"},{}]',
        "two.min.js": b'e.exports="' + base64.b64encode(BLOB[24:]) + b'"},{}]',
        "other.min.js": b"e.exports=1",
    }


@pytest.fixture(params=["archive", "folder"])
def package(request, tmp_path):
    if request.param == "folder":
        for name, data in files().items():
            (tmp_path / name).write_bytes(data)
        return Package(tmp_path)
    with tarfile.open(tmp_path / "judge.tgz", "w:gz") as archive:
        for name, data in files().items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return Package(tmp_path / "judge.tgz")


@pytest.mark.parametrize(
    "names",
    [("model.json", "model.bin"), ("manifest.json", "model.bin"), ("model.min.js", "one.min.js", "two.min.js")],
)
def test_tensors_are_read_in_every_wrapping(package, names):
    tensors = package.tensors(*names)
    assert (package.name, package.version) == ("judge", "1.2.3") and list(tensors) == [e["name"] for e in ENTRIES]
    np.testing.assert_array_equal(tensors["plain"], PLAIN)
    np.testing.assert_array_equal(tensors["half"], HALF.astype(np.float32))
    np.testing.assert_array_equal(tensors["a/bytes"], BYTES * np.float32(0.5) - np.float32(0.25))
    assert tensors["axes"] == 7 and tensors["half"].dtype == tensors["a/bytes"].dtype == np.float32


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("absent.json", "model.bin"), "absent.json"),
        (("model.json", "one.min.js"), "24 bytes|buffer"),
        (("model.json", "model.bin", "model.bin"), "72 bytes where the manifest lists 36"),
        (("model.min.js", "other.min.js"), "exports no base64"),
        (("other.min.js", "one.min.js"), "substring not found"),
        (("package.json", "model.bin"), "weightsManifest"),
    ],
)
def test_what_is_not_there_is_one_line(package, names, words):
    with pytest.raises(UserError, match=rf"no model {names[0]} in judge 1.2.3 \(.*({words})") as error:
        package.tensors(*names)
    assert "\n" not in str(error.value)


def test_no_package(tmp_path):
    (tmp_path / "text.tgz").write_text("no archive")
    for path in (tmp_path, tmp_path / "text.tgz", tmp_path / "absent.tgz"):
        with pytest.raises(UserError, match="no npm package, archive or folder"):
            Package(path)


@pytest.mark.parametrize("source", ['[{name:"a"}', "[[]", '["]"'])
def test_a_manifest_that_is_cut_short(source):
    with pytest.raises(ValueError, match="cut short"):
        tensorflow_js._closing(source, 0)


def test_numbers_of_a_minifier():
    assert tensorflow_js._literal('[{a:.5,b_1:-.25,c:12.75,d:1e-3,e:"x:.5"}]') == [
        {"a": 0.5, "b_1": -0.25, "c": 12.75, "d": 1e-3, "e": "x:.5"}
    ]
