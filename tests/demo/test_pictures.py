import numpy as np
import pytest

from rgunit_tf.demo.pictures import Picture, Shelf, data_url, identity
from rgunit_tf.inference.frames import Frame


def a_picture(name: str) -> Picture:
    frame = Frame((4, 4), (0, 0, 4, 4), (0, 0, 4, 4))
    return Picture(name, name.encode(), np.zeros((4, 4, 3), np.uint8), frame, np.zeros((1, 2), np.float32), ())


def test_the_ones_used_least_lately_make_way_and_examples_stay():
    shelf = Shelf(room=2)
    example = shelf.put(a_picture("example"), stays=True)
    first, second = (shelf.put(a_picture(name)) for name in ("first", "second"))
    assert shelf.get(first).name == "first"
    third = shelf.put(a_picture("third"))
    assert shelf.get(second) is None
    assert [shelf.get(key).name for key in (first, third, example)] == ["first", "third", "example"]


def test_an_upload_of_an_example_is_the_example():
    shelf = Shelf(room=1)
    shelf.put(a_picture("example"), stays=True)
    kept = shelf.put(a_picture("kept"))
    assert shelf.put(a_picture("example")) == identity(a_picture("example"))
    assert shelf.get(kept) is not None


@pytest.mark.parametrize("shape", [(3, 5, 3), (3, 5)])
def test_data_urls_hold_the_pixels(shape):
    import base64
    import io

    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    head, _, body = data_url(image).partition(",")
    assert head == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(body)))), image)
