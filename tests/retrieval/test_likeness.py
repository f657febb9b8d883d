import numpy as np
import pytest

from rgunit_tf.retrieval.likeness import Likeness, cells


def drawn(count: int, seed: int, scale: float = 0.1) -> np.ndarray:
    """Cells of contents that vary in 3 of 48 directions, and a little in all."""
    directions = np.random.default_rng(0).standard_normal((3, 48))
    random = np.random.default_rng(seed)
    return (random.standard_normal((count, 3)) @ directions + scale * random.standard_normal((count, 48)) + 5.0).astype(
        np.float32
    )


@pytest.fixture
def likeness():
    return Likeness.of(drawn(400, 1), drawn(200, 2))


def test_of_real_pictures_one_in_a_hundred_is_beyond_the_limit(likeness):
    assert (likeness.distances(drawn(2000, 3)) > likeness.limit).mean() == pytest.approx(0.01, abs=0.01)


def test_what_differs_in_other_ways_is_beyond_it(likeness):
    other = np.random.default_rng(4).standard_normal((100, 48)).astype(np.float32) + 5.0
    assert (likeness.distances(other) > likeness.limit).all()
    # Farther out in the same directions is still of the same kind.
    far = 5.0 + 4.0 * (drawn(100, 5, 0.0) - 5.0)
    assert (likeness.distances(far) < likeness.limit).mean() > 0.9


def test_it_comes_back_from_its_file(likeness, tmp_path):
    likeness.save(tmp_path / "likeness.npz", "these weights")
    back = Likeness.load(tmp_path / "likeness.npz", "these weights")
    np.testing.assert_allclose(back.distances(drawn(50, 6)), likeness.distances(drawn(50, 6)), rtol=0.02)
    assert back.limit == likeness.limit and Likeness.load(tmp_path / "likeness.npz") is not None
    assert Likeness.load(tmp_path / "likeness.npz", "others") is None
    assert Likeness.load(tmp_path / "nowhere.npz") is None


@pytest.mark.parametrize("keep", [0, 10, 400])
def test_a_damaged_file_says_nothing(likeness, tmp_path, keep):
    likeness.save(tmp_path / "likeness.npz")
    (tmp_path / "likeness.npz").write_bytes((tmp_path / "likeness.npz").read_bytes()[:keep])
    assert Likeness.load(tmp_path / "likeness.npz") is None


def test_of_few_pictures_nothing_is_known():
    assert Likeness.of(drawn(400, 1), drawn(19, 2)) is None
    assert Likeness.of(drawn(19, 1), drawn(200, 2)) is None


def test_cells_are_means(likeness):
    contents = np.random.default_rng(0).standard_normal((2, 8, 8, 3))
    np.testing.assert_allclose(cells(contents)[1, :3], contents[1, :2, :2].mean((0, 1)), rtol=1e-5)
    assert cells(contents).shape == (2, 48)
    assert cells(contents[:, :5, :3]).shape == (2, 4 * 3 * 3) and cells(contents.astype(np.float16)).dtype == np.float32
