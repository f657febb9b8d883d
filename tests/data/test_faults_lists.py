"""CelebA's lists as strangers write them: read rightly or refused in one line that names the file; never half-read."""

from __future__ import annotations

import pathlib
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgunit_tf.data import celeba as source
from rgunit_tf.errors import UserError

COLUMNS = ("Male", "Young", "Hat")
FAST = settings(max_examples=60, derandomize=True, deadline=None, database=None)
CELLS = st.sampled_from(["1", "-1", "+1", "0", "2", "0.5", "x", "", "\t", "１", "nan", "1,"])
NAMES = st.one_of(
    st.sampled_from(["1.png", "2.png", "../1.png", "/etc/passwd", "a/../../1.png", "a\\1.png", "..", ".", "1.png\0"]),
    st.text(min_size=1, max_size=6),
    st.just("n" * 300),
    st.just("é" * 128),
)
LINES = st.one_of(
    st.tuples(NAMES, st.lists(CELLS, max_size=5)).map(lambda row: f"{row[0]} {' '.join(row[1])}"),
    st.just(""),
    st.just("   \t "),
    st.binary(max_size=6).map(lambda data: data.decode("latin-1")),
)
HEADS = st.sampled_from(
    ["Male Young Hat", "2\nMale Young Hat", "9\nMale Young Hat", "²\nMale Young Hat", "9" * 5000 + "\nMale", "2", "",
     "Male Male Hat", "1 -1 1", "-2\nMale Young Hat", "2.0\nMale Young Hat", "\n\n2\n\nMale Young Hat"]
)  # fmt: skip


def attributes_of(content: bytes) -> tuple[list[str], list[str], np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / source.ATTRIBUTES
        path.write_bytes(content)
        try:
            return source.read_attributes(path)
        except UserError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error), error
            assert len(str(error)) < len(str(path)) + 400
            raise


def expected(text: str) -> dict[str, list[int]]:
    """Name -> values by the plainest reading of the rows: those that hold COLUMNS' number of values."""
    rows = [line.split() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return {row[0]: [int(cell == "1" or cell == "+1") for cell in row[1:]] for row in rows if len(row) == 4}


@FAST
@given(
    head=HEADS,
    lines=st.lists(LINES, max_size=3),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    coding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]),
)
def test_attributes_are_read_as_written_or_refused(head, lines, ending, coding):
    text = "\n".join([head, "1.jpg 1 -1 1", "2.jpg -1 -1 1", *lines]).replace("\n", ending)
    try:
        names, columns, values = attributes_of(text.encode(coding, "replace"))
    except UserError:
        return
    assert tuple(columns) == COLUMNS
    assert len(set(names)) == len(names) >= 2
    assert not any("/" in name or "\0" in name or "\\" in name or name in (".", "..") for name in names)
    rows = expected(text.encode(coding, "replace").decode("utf-8-sig", "surrogateescape"))
    assert {name: values[row].tolist() for row, name in enumerate(names)} == {name: rows[name] for name in names}


@FAST
@given(data=st.data(), ending=st.sampled_from(["\n", "\r\n"]))
def test_one_spoilt_row_is_named_by_its_line(data, ending):
    rows = [f"{number}.jpg 1 -1 1" for number in range(8)]
    spoilt = data.draw(st.integers(0, 7))
    name = f"{spoilt}.jpg"
    rows[spoilt] = data.draw(
        st.sampled_from(
            [f"{name} 1 -1", f"{name} 1 -1 1 1", name, f"{name} 1 -1 2", f"{name} 1 -1 0.5", f"{name} 1 -1 one",
             f"../{name} 1 -1 1", f"/etc/{name} 1 -1 1", f"a/../../{name} 1 -1 1", f"{name}\0 1 -1 1",
             f"{'n' * 300} 1 -1 1", f"my {name} 1 -1 1", f"{name} 1 0 1", f"{(spoilt + 1) % 8}.jpg 1 -1 1"]
        )
    )  # fmt: skip
    with pytest.raises(UserError) as error:
        attributes_of(ending.join(["8", " ".join(COLUMNS), *rows]).encode())
    # Of two rows with the same name the later one is named.
    lines = {spoilt + 3, max(spoilt, (spoilt + 1) % 8) + 3} if ".jpg is listed" in str(error.value) else {spoilt + 3}
    if "0 and -1 both" in str(error.value):
        lines = {3, 4, spoilt + 3}
    assert any(f"{source.ATTRIBUTES}:{line}: " in str(error.value) for line in lines), error.value


@pytest.mark.parametrize(
    "head", ["²\nMale Young Hat", "9" * 5000 + "\nMale Young Hat", "1.jpg 1 1 1", "2\n1.jpg 1 1 1"]
)
def test_counts_and_headers_that_are_none(head):
    with pytest.raises(UserError):
        attributes_of(f"{head}\n1.jpg 1 1 1\n2.jpg 1 1 1\n".encode())


@FAST
@given(lines=st.lists(st.tuples(NAMES, CELLS | st.just("0 1")), max_size=3), bad=st.binary(max_size=3))
def test_partitions_are_read_as_written_or_refused(lines, bad):
    content = "".join(f"{name} {cell}\n" for name, cell in lines).encode() + bad + b"\n3.png 2"
    names = ["1.png", "2.png", "3.png"]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / source.PARTITION
        path.write_bytes(content)
        try:
            part = source.read_partition(path, names)
        except UserError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
            return
    rows = dict(line.split() for line in content.decode("utf-8-sig", "surrogateescape").splitlines() if line.strip())
    assert part.tolist() == [int(rows[name]) for name in names]


def test_nothing_outside_of_the_folder_is_read(celeba):
    outside = celeba.root / "secret.png"
    celeba.names[3] = "../secret.png"
    (celeba.images / "000004.png").rename(outside)
    celeba.write()
    with pytest.raises(UserError, match=r"list_attr_celeba.txt:6: '../secret.png' is a path"):
        source.load_records(celeba.root, ("Male",))


@pytest.mark.parametrize("root", ["x" * 5000, "~nobody-of-this-name/x", "a\0b", "/dev/null", ""])
def test_roots_that_are_no_folders(root, tmp_path, monkeypatch):
    from rgunit_tf.data import folder

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no such folder|no such file"):
        source.load_records(root, ("Male",))
    with pytest.raises(UserError, match=r"no such folder|0 domain folders"):
        folder.load_records(root)
