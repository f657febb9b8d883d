import collections
import pathlib
import pickle
import zipfile

import numpy as np
import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.pretrained import torch_file

RECORDED = pathlib.Path(__file__).parent / "recorded"


@pytest.mark.parametrize("layout", ["zip", "older"])
def test_tensors_are_those_that_pytorch_wrote(layout):
    tensors = torch_file.read(RECORDED / f"tensors_{layout}.pth")
    grid = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(tensors["plain"], grid)
    np.testing.assert_array_equal(tensors["transposed"], grid.T)
    np.testing.assert_array_equal(tensors["part"], [3, 4, 5, 6])
    np.testing.assert_array_equal(tensors["half"], np.array([0.5, -2.0], np.float16))
    np.testing.assert_array_equal(tensors["parameter"], [1.0, 2.0])
    np.testing.assert_array_equal(tensors["flags"], [True, False])
    assert tensors["scalar"].shape == () and tensors["scalar"] == 7.25
    assert [tensors[name].dtype for name in ("part", "half", "scalar", "flags")] == ["i8", "f2", "f8", "?"]


class Call:
    """Unpickled carelessly, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


@pytest.mark.parametrize("layout", ["zip", "older"])
def test_a_file_that_would_run_code_is_refused(tmp_path, layout):
    path, proof = tmp_path / "evil.pth", tmp_path / "proof"
    if layout == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("evil/data.pkl", pickle.dumps({"weight": Call(proof)}))
    else:
        path.write_bytes(b"".join(map(pickle.dumps, (torch_file._MAGIC, 1001, {}, {"weight": Call(proof)}, []))))
    with pytest.raises(UserError, match=r"evil.pth: no PyTorch file of tensors.*asks for"):
        torch_file.read(path)
    assert not proof.exists()


def test_a_whole_module_is_refused_with_the_name_it_asks_for():
    with pytest.raises(UserError, match=r"asks for torch.nn.modules.linear.Linear"):
        torch_file.read(RECORDED / "whole_module.pth")


def test_a_tensor_beyond_its_data_is_refused():
    storage = np.arange(4.0)
    np.testing.assert_array_equal(torch_file._tensor(storage, 1, (3,), (1,)), [1, 2, 3])
    for offset, size, stride in ((2, (3,), (1,)), (0, (2, 2), (3, 1)), (-1, (2,), (1,)), (3, (2,), (-1,))):
        with pytest.raises(ValueError, match="a tensor"):
            torch_file._tensor(storage, offset, size, stride)


def test_damaged_and_foreign_files_are_the_users_mistake(tmp_path):
    whole = (RECORDED / "tensors_older.pth").read_bytes()
    contents = {"cut": whole[:-9], "text": b"hello", "empty": b"", "none": None}
    contents["list"] = b"".join(map(pickle.dumps, (torch_file._MAGIC, 1001, {}, [1, 2], [])))
    contents["numbers"] = b"".join(map(pickle.dumps, (torch_file._MAGIC, 1001, {}, collections.OrderedDict(a=1), [])))
    for name, content in contents.items():
        path = tmp_path / f"{name}.pth"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match=f"{name}.pth"):
            torch_file.read(path)
