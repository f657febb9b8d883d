import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.inference.inputs import find_pictures, passed_over


def names(*values, output="out"):
    return [picture.name for picture in find_pictures([str(value) for value in values], output)]


@pytest.fixture
def folder(tmp_path):
    for name in ("x/a.jpg", "x/b,c.jpg", "x/deep/a.jpg", "y/a.jpg", "x/.hidden.jpg", "x/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_folder_to_any_depth(folder):
    assert names(folder / "x") == ["a.jpg", "b,c.jpg", "deep/a.jpg"]


def test_a_file_of_any_ending(folder):
    assert names(folder / "x" / "notes.txt") == ["notes.txt"]


def test_several_by_commas_or_repeated_keep_what_tells_them_apart(folder):
    x, y = folder / "x", folder / "y"
    expected = ["x/a.jpg", "x/b,c.jpg", "x/deep/a.jpg", "y/a.jpg"]
    assert names(f"{x},{y}") == names(x, y) == expected
    assert names(x / "a.jpg", y / "a.jpg") == ["x/a.jpg", "y/a.jpg"]


def test_a_comma_in_a_name_is_no_separator(folder):
    assert names(folder / "x" / "b,c.jpg") == ["b,c.jpg"]


def test_links_in_a_circle_and_files_given_twice_are_read_once(folder):
    (folder / "x" / "loop").symlink_to(folder / "x")
    assert names(folder / "x") == ["a.jpg", "b,c.jpg", "deep/a.jpg"]
    assert names(folder / "x", folder / "x" / "a.jpg") == ["x/a.jpg", "x/b,c.jpg", "x/deep/a.jpg"]


def test_results_inside_the_input_are_no_input(folder):
    assert names(folder / "x", output=folder / "x" / "deep") == ["a.jpg", "b,c.jpg"]
    assert names(folder / "x", output=folder / "x" / "a.jpg") == ["b,c.jpg", "deep/a.jpg"]
    assert names(folder / "x", output=folder / "x") == names(folder / "x", output=folder) == names(folder / "x")


def test_nothing_there(folder):
    with pytest.raises(UserError, match=r"--input=.*nowhere: no such file or folder"):
        names(folder / "nowhere")
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=r"no picture \(\.jpg"):
        names(folder / "empty")


def test_what_is_no_picture_is_counted_and_named(folder):
    (folder / "x/a.cr2").write_bytes(b"")
    (folder / "x/out").mkdir()
    (folder / "x/out/manifest.jsonl").write_text("{}")
    others: list[str] = []
    find_pictures([str(folder / "x"), str(folder / "y")], folder / "x/out", others=others)
    assert sorted(others) == [str(folder / "x/a.cr2"), str(folder / "x/notes.txt")]
    assert passed_over(others) == (
        f"2 files passed over, 1 .cr2, 1 .txt; the first pictures of them: {folder / 'x/a.cr2'}"
    )
    assert passed_over([]) == ""
