import os
import pathlib

import numpy as np
import pytest
from PIL import Image

COLUMNS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young", "Smiling", "Hat")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RGUNIT_CACHE", os.fspath(folder))
    return folder


def picture(seed: int, width: int = 20, height: int = 24) -> Image.Image:
    """Smooth random colours that survive JPEG."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


class CelebA:
    """A small folder in CelebA's layout that a test may spoil before it loads it."""

    def __init__(self, root: pathlib.Path, count: int):
        self.root = root
        self.images = root / "img_align_celeba"
        self.attributes = root / "list_attr_celeba.txt"
        self.partition = root / "list_eval_partition.txt"
        self.images.mkdir(parents=True)
        self.names = [f"{number + 1:06d}.png" for number in range(count)]
        self.values = -np.ones((count, len(COLUMNS)), int)
        random = np.random.default_rng(0)
        for number, name in enumerate(self.names):
            picture(number).save(self.images / name)
            hair = number % 4
            if hair < 3:
                self.values[number, hair] = 1
            self.values[number, 3:] = random.choice([-1, 1], 4)
        self.write()

    def write(self) -> None:
        rows = [f"{name} {' '.join(f'{v:2d}' for v in row)}" for name, row in zip(self.names, self.values, strict=True)]
        self.attributes.write_text("\n".join([str(len(rows)), " ".join(COLUMNS), *rows]) + "\n")

    def write_partition(self, parts) -> None:
        lines = [f"{name} {part}" for name, part in zip(self.names, parts, strict=True)]
        self.partition.write_text("\n".join(lines) + "\n")

    def write_identities(self, people, folder: str = "") -> pathlib.Path:
        path = self.root / folder / "identity_CelebA.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{name} {person}\n" for name, person in zip(self.names, people, strict=True)))
        return path

    def edit(self, line: int, text: str | None) -> None:
        """Replaces a line of the attribute file, counted from 1; None removes it."""
        lines = self.attributes.read_text().split("\n")
        lines[line - 1 : line] = [] if text is None else [text]
        self.attributes.write_text("\n".join(lines))


@pytest.fixture
def celeba(tmp_path):
    return CelebA(tmp_path / "celeba", 40)


@pytest.fixture
def make_folder(tmp_path):
    """Makes `{folder: count}` of images below a folder and returns it."""

    def make(counts: dict[str, int], name: str = "folder") -> pathlib.Path:
        root = tmp_path / name
        seed = 0
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                picture(seed).save(root / folder / f"{number}.png")
                seed += 1
        return root

    return make
