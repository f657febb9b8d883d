import numpy as np
import pytest
from PIL import Image

from rgunit_tf.evaluation.figures.sheet import FigureSheet


def picture(seed, size=32, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (size, size, channels), dtype=np.uint8)


@pytest.mark.parametrize("size", [16, 32, 100, 300])
def test_pictures_and_words_come_back_as_they_were(tmp_path, size):
    rows = [[picture(0, size), picture(1, size)], [picture(2, size), picture(3, size, 1)]]
    sheet = FigureSheet("Title é", 'Caption <b>&"', ["Input", "Mask"], rows, ["to Blond_Hair", "to ümlaut, 猫"])
    sheet.save(tmp_path / "sheet.png")
    loaded = FigureSheet.load(tmp_path / "sheet.png")
    assert (loaded.title, loaded.caption) == (sheet.title, sheet.caption)
    assert loaded.columns == sheet.columns and loaded.row_titles == sheet.row_titles
    for row, expected in zip(loaded.rows, rows, strict=True):
        for image, original in zip(row, expected, strict=True):
            np.testing.assert_array_equal(image, np.broadcast_to(original, (size, size, 3)))
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_rows_may_be_shorter_than_the_columns(tmp_path):
    FigureSheet("T", "C", ["a", "b"], [[picture(0), picture(1)], [picture(2)]]).save(tmp_path / "sheet.png")
    assert [len(row) for row in FigureSheet.load(tmp_path / "sheet.png").rows] == [2, 1]


@pytest.mark.parametrize(
    ("columns", "rows", "row_titles", "message"),
    [
        (["a"], [[picture(0), picture(1)]], (), "more pictures than the 1 column titles"),
        (["a"], [[picture(0)]], ("x", "y"), "2 row titles for 1 rows"),
        (["a"], [], (), "at least one image"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path, columns, rows, row_titles, message):
    with pytest.raises(ValueError, match=message):
        FigureSheet("T", "C", columns, rows, row_titles).save(tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())


def test_other_files_are_no_sheets(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / "plain.png")
    Image.fromarray(picture(0)).save(tmp_path / "plain.jpg")
    (tmp_path / "text.png").write_text("no picture")
    for name in ("plain.png", "plain.jpg"):
        with pytest.raises(ValueError, match="no figure of an evaluation"):
            FigureSheet.load(tmp_path / name)
    for name in ("text.png", "absent.png"):
        with pytest.raises(OSError):
            FigureSheet.load(tmp_path / name)
