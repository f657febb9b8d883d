import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageFont

from rgunit_tf import grid


def solid(color, size=32):
    return np.full((size, size, 3), color, np.uint8)


def test_cells_lie_where_their_row_and_column_say():
    sheet = grid.make_grid([[solid((255, 0, 0)), solid((0, 255, 0))], [None, solid((0, 0, 255))]])
    step = 32 * 4 + grid.GAP
    left, top = grid.GAP, grid.GAP
    assert tuple(sheet[top + 64, left + 64]) == (255, 0, 0)
    assert tuple(sheet[top + 64, left + step + 64]) == (0, 255, 0)
    assert tuple(sheet[top + step + 64, left + 64]) == grid.BACKGROUND
    assert tuple(sheet[top + step + 64, left + step + 64]) == (0, 0, 255)


def test_small_images_grow_by_a_whole_factor_and_keep_their_pixels():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    sheet = grid.make_grid([[image]])
    cell = sheet[grid.GAP : grid.GAP + 128, grid.GAP : grid.GAP + 128]
    np.testing.assert_array_equal(cell[::4, ::4], image)
    np.testing.assert_array_equal(cell, np.repeat(np.repeat(image, 4, 0), 4, 1))


def test_titles_take_room_and_leave_ink():
    bare = grid.make_grid([[solid((255, 255, 255))]])
    titled = grid.make_grid([[solid((255, 255, 255))]], ["Blond_Hair,Male,Young,Smiling,Bangs"], ["000001.png"])
    assert titled.shape[0] > bare.shape[0] and titled.shape[1] > bare.shape[1]
    assert (titled[:20] < 100).any() and not (bare < 100).any()


def test_masks_are_shown_grey_and_large_images_as_they_are():
    sheet = grid.make_grid([[np.full((200, 200, 1), 77, np.uint8)]])
    assert tuple(sheet[100, 100]) == (77, 77, 77)
    assert sheet.shape == (200 + 2 * grid.GAP, 200 + 2 * grid.GAP, 3)


def test_save_grid_writes_a_readable_png_and_no_leftovers(tmp_path):
    grid.save_grid(tmp_path / "sheet.png", [[solid((9, 9, 9))]], ["Input"])
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.format == "PNG" and image.mode == "RGB"
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 2), np.uint8)])
def test_other_types_and_shapes_are_refused(bad):
    with pytest.raises(ValueError, match="grid images are"):
        grid.make_grid([[bad]])


def test_an_empty_grid_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        grid.make_grid([[None]])


def test_grids_do_not_import_tensorflow():
    code = "import sys, rgunit_tf.grid; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _heading(title: str) -> np.ndarray:
    return grid.make_grid([[np.zeros((128, 128, 3), np.uint8)]], [title])


def test_letters_of_other_languages_are_drawn(monkeypatch):
    for name in grid.FONTS:
        try:
            ImageFont.truetype(name, grid.FONT_SIZE)
            break
        except OSError:
            continue
    else:
        pytest.skip("no font with them on this machine")
    headings = [_heading(title) for title in ("Kätzchen grün", "Kätzchen grun", "Kätzchen gr?n", "Kätzchen gr\uffffn")]
    assert not any(np.array_equal(headings[0], other) for other in headings[1:] if other.shape == headings[0].shape)
    # As a Mac names files: the letter and its dots apart.
    np.testing.assert_array_equal(_heading("Ka\u0308tzchen gru\u0308n"), headings[0])
    monkeypatch.setattr(grid, "FONTS", ())
    np.testing.assert_array_equal(_heading("grün 中"), _heading("grun ?"))


def test_words_have_no_underscores():
    np.testing.assert_array_equal(_heading("Blond_Hair"), _heading("Blond Hair"))
