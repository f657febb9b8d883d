"""Who is drawn: the parameters of one cartoon face, how they are sampled, and the attributes that they amount to."""

from __future__ import annotations

import colorsys
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

DOMAIN_ATTRIBUTES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
HAIR_COLOURS = DOMAIN_ATTRIBUTES[:3]

# A person keeps one pair of hair shapes: the first is drawn for women, the second for men.
HAIR_PAIRS = (
    ("straight_1", "short_flat"),
    ("straight_strand", "short_round"),
    ("bob", "short_waved"),
    ("curly", "short_curly"),
)
FACIAL_HAIR = ("beard_medium", "beard_light", "beard_magestic", "moustache_magnum", "moustache_fancy", "stubble")
EYES = ("default", "squint", "surprised", "happy", "side")
EYEBROWS = ("default_natural", "flat_natural", "raised_excited_natural", "sad_concerned_natural", "default")
NOSES = ("default", "small", "wide")
MOUTHS = ("twinkle", "smile", "default", "serious", "big_smile", "disbelief", "sad")
GLASSES = ("none", "round", "prescription_01", "prescription_02")
CLOTHES = ("shirt_crew_neck", "hoodie", "collar_sweater", "blazer_shirt", "shirt_v_neck", "shirt_scoop_neck")
BACKGROUNDS = ("plain", "gradient", "diagonal", "circles", "stripes")
SKINS = ((255, 222, 196), (245, 205, 165), (232, 184, 140), (208, 148, 102), (168, 112, 76), (134, 88, 62))

# Hue, saturation and value of each family of clothes colours; the hue of a background family.
CLOTHES_COLOURS = {
    "blue": (0.58, 0.65, 0.80),
    "red": (0.99, 0.70, 0.85),
    "green": (0.40, 0.55, 0.68),
    "yellow": (0.13, 0.65, 0.95),
    "purple": (0.77, 0.45, 0.70),
    "dark": (0.60, 0.30, 0.25),
    "white": (0.60, 0.03, 0.95),
}
BACKGROUND_HUES = {"blue": 0.58, "green": 0.38, "red": 0.99, "yellow": 0.13, "purple": 0.77}


@dataclasses.dataclass(frozen=True)
class Person:
    """Every drawn parameter of one face. The first three fields are the domain attributes, the rest is content.

    Nothing but the domain attributes changes in a counterfactual: the jitters, the pair of hair shapes and the kind of
    facial hair belong to the person and stay, whether they show or not.

    Colours are (red, green, blue) in 0..255; jitters are in -1..1; lengths are in units of the 264 x 280 canvas of
    the parts.
    """

    hair_colour: str  # one of HAIR_COLOURS
    male: bool
    young: bool
    hair_pair: int
    hair_jitter: tuple[float, float, float]
    facial_hair: str
    facial_hair_jitter: float
    grey_jitter: float
    skin: int
    skin_jitter: float
    eyes: str
    eyebrows: str
    nose: str
    mouth: str
    glasses: str
    freckles: bool
    clothes: str
    clothes_colour: str
    clothes_rgb: tuple[int, int, int]
    background: str
    background_colour: str
    background_light: bool
    background_rgb: tuple[int, int, int]
    background_rgb_2: tuple[int, int, int]
    background_position: tuple[float, float]
    rotation: float  # degrees, clockwise
    scale: float
    shift: tuple[float, float]
    mirrored: bool

    def to_dict(self) -> dict[str, Any]:
        """The parameters as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Person:
        """Inverse of `to_dict`, also of its JSON."""
        return cls(**{key: tuple(item) if isinstance(item, list) else item for key, item in value.items()})


def _rgb(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    channels = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0))
    return tuple(round(255 * channel) for channel in channels)


def _choice(random: np.random.Generator, values: Sequence[Any], weights: Sequence[float]) -> Any:
    return values[int(random.choice(len(values), p=np.asarray(weights) / np.sum(weights)))]


def _jitter(random: np.random.Generator, scale: float = 1.0) -> float:
    return round(float(random.uniform(-scale, scale)), 4)


def sample_person(seed: int, index: int) -> Person:
    """Person number `index` of the data set with this seed; depends on nothing else.

    The domain attributes are mildly correlated, as in CelebA: more of the women are young and blond. All 12 label
    vectors occur, each in at least 4% of the people.
    """
    random = np.random.default_rng([seed, index])
    male = bool(random.random() < 0.45)
    young = bool(random.random() < (0.55 if male else 0.65))
    hair_colour = _choice(random, HAIR_COLOURS, (0.36, 0.27, 0.37) if male else (0.31, 0.37, 0.32))
    background_colour = _choice(random, tuple(BACKGROUND_HUES), (0.3, 0.2, 0.15, 0.2, 0.15))
    light = bool(random.random() < 0.6)
    hue = BACKGROUND_HUES[background_colour] + _jitter(random, 0.03)
    saturation, value = random.uniform(0.16, 0.42), random.uniform(0.86, 0.98)
    if not light:
        saturation, value = random.uniform(0.35, 0.6), random.uniform(0.42, 0.58)
    clothes_colour = _choice(random, tuple(CLOTHES_COLOURS), (0.22, 0.16, 0.14, 0.1, 0.1, 0.16, 0.12))
    clothes_hue, clothes_saturation, clothes_value = CLOTHES_COLOURS[clothes_colour]
    return Person(
        hair_colour=hair_colour,
        male=male,
        young=young,
        hair_pair=int(random.integers(len(HAIR_PAIRS))),
        hair_jitter=tuple(_jitter(random) for _ in range(3)),
        facial_hair=_choice(random, FACIAL_HAIR, (0.28, 0.2, 0.14, 0.14, 0.1, 0.14)),
        facial_hair_jitter=_jitter(random),
        grey_jitter=_jitter(random),
        skin=_choice(random, range(len(SKINS)), (0.18, 0.22, 0.2, 0.16, 0.13, 0.11)),
        skin_jitter=_jitter(random),
        eyes=_choice(random, EYES, (0.5, 0.14, 0.1, 0.14, 0.12)),
        eyebrows=_choice(random, EYEBROWS, (0.3, 0.2, 0.2, 0.12, 0.18)),
        nose=_choice(random, NOSES, (0.45, 0.25, 0.3)),
        mouth=_choice(random, MOUTHS, (0.18, 0.22, 0.16, 0.14, 0.14, 0.07, 0.09)),
        glasses=_choice(random, GLASSES, (0.75, 0.09, 0.06, 0.1)),
        freckles=bool(random.random() < 0.2),
        clothes=_choice(random, CLOTHES, (0.2, 0.2, 0.17, 0.17, 0.13, 0.13)),
        clothes_colour=clothes_colour,
        clothes_rgb=_rgb(
            clothes_hue + _jitter(random, 0.025),
            clothes_saturation + _jitter(random, 0.02 if clothes_colour == "white" else 0.12),
            clothes_value + _jitter(random, 0.05),
        ),
        background=_choice(random, BACKGROUNDS, (0.28, 0.24, 0.18, 0.18, 0.12)),
        background_colour=background_colour,
        background_light=light,
        background_rgb=_rgb(hue, saturation, value),
        background_rgb_2=_rgb(hue + _jitter(random, 0.06), saturation * 0.8, value + (-0.12 if light else 0.14)),
        background_position=(round(float(random.random()), 4), round(float(random.random()), 4)),
        rotation=_jitter(random, 10.0),
        scale=round(float(random.uniform(0.9, 1.1)), 4),
        shift=(_jitter(random, 8.0), _jitter(random, 6.0)),
        mirrored=bool(random.random() < 0.5),
    )


def domain_labels(person: Person) -> np.ndarray:
    """Label vector in the order of `DOMAIN_ATTRIBUTES`: float32 [5] of 0 and 1."""
    hair = [person.hair_colour == name for name in HAIR_COLOURS]
    return np.array([*hair, person.male, person.young], np.float32)


def with_labels(person: Person, labels: np.ndarray) -> Person:
    """The same person with other domain attributes.

    Args:
      person: whose content to keep.
      labels: [5] zeros and ones in the order of `DOMAIN_ATTRIBUTES`.

    Raises:
      ValueError: not exactly one hair colour, or a value other than 0 and 1.
    """
    labels = np.asarray(labels, np.float32)
    if labels.shape != (5,) or not np.isin(labels, (0, 1)).all() or labels[:3].sum() != 1:
        raise ValueError(f"labels {labels.tolist()}: expected 5 of 0 or 1 with exactly one hair colour")
    colour = HAIR_COLOURS[int(np.argmax(labels[:3]))]
    return dataclasses.replace(person, hair_colour=colour, male=bool(labels[3]), young=bool(labels[4]))


def content_attributes(person: Person) -> dict[str, bool]:
    """What is drawn beside the domain attributes, under CelebA's names where one fits."""
    left = person.rotation < -3.0
    right = person.rotation > 3.0
    return {
        "Arched_Eyebrows": person.eyebrows == "raised_excited_natural",
        "Bushy_Eyebrows": person.eyebrows == "flat_natural",
        "Bangs": HAIR_PAIRS[person.hair_pair][0] == "straight_strand",
        "Wavy_Hair": HAIR_PAIRS[person.hair_pair][0] == "curly",
        "Big_Nose": person.nose == "wide",
        "Small_Nose": person.nose == "small",
        "Eyeglasses": person.glasses != "none",
        "Narrow_Eyes": person.eyes in ("squint", "happy"),
        "Wide_Eyes": person.eyes == "surprised",
        "Smiling": person.mouth in ("twinkle", "smile", "default", "big_smile"),
        "Mouth_Slightly_Open": person.mouth in ("smile", "default", "big_smile", "disbelief"),
        "Pale_Skin": person.skin == 0,
        "Dark_Skin": person.skin >= 4,
        "Freckles": person.freckles,
        "Hoodie": person.clothes == "hoodie",
        "Blazer": person.clothes == "blazer_shirt",
        "Collar": person.clothes == "collar_sweater",
        "Open_Neck": person.clothes in ("shirt_v_neck", "shirt_scoop_neck"),
        "Blue_Clothes": person.clothes_colour == "blue",
        "Red_Clothes": person.clothes_colour == "red",
        "Green_Clothes": person.clothes_colour == "green",
        "Dark_Clothes": person.clothes_colour == "dark",
        "Light_Background": person.background_light,
        "Plain_Background": person.background == "plain",
        "Blue_Background": person.background_colour == "blue",
        "Green_Background": person.background_colour == "green",
        "Red_Background": person.background_colour == "red",
        "Tilted_Left": left,
        "Tilted_Right": right,
        "Close_Up": person.scale > 1.0,
    }


CONTENT_ATTRIBUTES = tuple(content_attributes(sample_person(0, 0)))
