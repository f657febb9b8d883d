"""Draws a `Person` as a 178 x 218 picture, the format of CelebA's aligned faces.

What the domain attributes change, and nothing else does:
  hair colour  the colour of hair, eyebrows and facial hair, within a narrow band for each class;
  Male         the hair shape (short instead of long), facial hair, thicker eyebrows; women have lashes and lipstick;
  Young        pink cheeks; the old have strands of grey, wrinkles, bags under the eyes and duller skin.
"""

from __future__ import annotations

import colorsys
import io

import numpy as np
from PIL import Image

from rgunit_tf.data.avatars import parts
from rgunit_tf.data.avatars.people import HAIR_PAIRS, SKINS, Person

WIDTH, HEIGHT = 178, 218

_HAIR = {"Black_Hair": (28, 24, 30), "Blond_Hair": (226, 184, 104), "Brown_Hair": (110, 68, 38)}
_GREY = (205, 205, 208)
_CENTRE = (132.0, 109.0)  # of the face, on the canvas of the parts
_PIXELS_PER_UNIT = 0.79
_HEAD = (
    "M132,36 C162.93,36 188,61.07 188,92 L188,130 C188,160.93 162.93,186 132,186 C101.07,186 76,160.93 76,130"
    " L76,92 C76,61.07 101.07,36 132,36 Z"
)
_BODY = (
    "M132,36 C162.927946,36 188,61.072054 188,92 L188.000809,98.1660527 C193.675838,99.1185422 198,104.05429 198,110"
    " L198,124 C198,130.0524166 193.519235,135.0582945 187.693975,135.8813638 C185.627928,155.686472 173.237929,"
    "172.421678 156.001014,180.610469 L156,199 L160,199 C199.764502,199 232,231.235498 232,271 L232,360 L32,360"
    " L32,271 C32,231.235498 64.235498,199 104,199 L108,199 L107.9999836,180.610943 C90.7625487,172.422324 78.3721119,"
    "155.687 76.3051107,135.8809698 C70.480765,135.0582945 66,130.0524166 66,124 L66,110 C66,104.053942 70.3246685,"
    "99.1179645 76.0001873,98.1658855 L76,92 C76,61.07 101.07,36 132,36 Z"
)


def _mix(first: tuple[float, ...], second: tuple[float, ...], amount: float) -> tuple[float, ...]:
    return tuple(a + (b - a) * amount for a, b in zip(first, second, strict=True))


def _css(colour: tuple[float, ...]) -> str:
    return "#" + "".join(f"{min(max(round(channel), 0), 255):02x}" for channel in colour)


def hair_rgb(person: Person) -> tuple[float, ...]:
    """Colour of the person's hair before it greys: (red, green, blue) in 0..255."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in _HAIR[person.hair_colour]))
    by_hue, by_saturation, by_value = person.hair_jitter
    return tuple(
        255 * channel
        for channel in colorsys.hsv_to_rgb(
            (hue + 0.012 * by_hue) % 1.0, saturation * (1 + 0.1 * by_saturation), value * (1 + 0.08 * by_value)
        )
    )


def _skin_rgb(person: Person) -> tuple[float, ...]:
    skin = tuple(channel * (1 + 0.03 * person.skin_jitter) for channel in SKINS[person.skin])
    if person.young:
        return skin
    luma = sum(skin) / 3
    return tuple(0.93 * channel for channel in _mix(skin, (luma, luma, luma * 0.96), 0.28))


def _strands(colour: tuple[float, ...], grey: float) -> str:
    """Gradient across the hair: strands of grey, dense at the temples, with the colour kept between them."""
    stops = []
    for index, share in enumerate((0.7, 0.5, 0.55, 0.3, 0.38, 0.12, 0.25, 0.12, 0.38, 0.3, 0.55, 0.5, 0.7)):
        stops.append(f'<stop offset="{index / 12:.3f}" stop-color="{_css(_mix(colour, _GREY, share * grey))}"/>')
    return f'<linearGradient id="strands" x1="0" x2="1" y1="0" y2="0">{"".join(stops)}</linearGradient>'


def _background(person: Person) -> str:
    first, second = _css(person.background_rgb), _css(person.background_rgb_2)
    across, down = person.background_position
    base = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{first}"/>'
    if person.background == "gradient":
        return (
            f'<defs><linearGradient id="sky" x1="0" x2="{across:.3f}" y1="0" y2="1">'
            f'<stop offset="0" stop-color="{first}"/><stop offset="1" stop-color="{second}"/></linearGradient></defs>'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#sky)"/>'
        )
    if person.background == "diagonal":
        left, right = HEIGHT * (0.2 + 0.6 * across), HEIGHT * (0.2 + 0.6 * down)
        return base + f'<path d="M0,{left:.1f} L{WIDTH},{right:.1f} V{HEIGHT} H0 Z" fill="{second}"/>'
    if person.background == "circles":
        circles = ((across, down, 46), (across + 0.55, down + 0.35, 30), (across + 0.3, down + 0.7, 38))
        return base + "".join(
            f'<circle cx="{WIDTH * (x % 1.0):.1f}" cy="{HEIGHT * (y % 1.0):.1f}" r="{r}" fill="{second}"/>'
            for x, y, r in circles
        )
    if person.background == "stripes":
        width = 14 + 12 * down
        start = -width * 2 * across
        count = int(WIDTH / width / 2) + 2
        return base + "".join(
            f'<rect x="{start + 2 * width * i:.1f}" width="{width:.1f}" height="{HEIGHT}" fill="{second}"/>'
            for i in range(count)
        )
    return base


def _both_sides(shape: str) -> str:
    """A shape of the left half of the face and its mirror image."""
    return f'{shape}<g transform="translate(264,0) scale(-1,1)">{shape}</g>'


def _age_marks(person: Person, skin: tuple[float, ...]) -> str:
    if person.young:
        blush = _css(_mix(skin, (255, 70, 90), 0.42))
        return _both_sides(f'<ellipse cx="94" cy="138" rx="13" ry="9" fill="{blush}"/>')
    line, shade = _css(_mix(skin, (40, 20, 20), 0.42)), _css(_mix(skin, (60, 40, 50), 0.2))
    lines = '<path d="M110,74 Q132,68 154,74 M107,82 Q132,76 157,82"/>' + _both_sides(
        '<path d="M95,121 Q106,130 117,121 M112,139 Q100,148 103,162 M84,108 L77,104 M84,113 L76,114"/>'
    )
    jowls = '<ellipse cx="86" cy="152" rx="11" ry="24" transform="rotate(-14 86 152)"/>'
    bags = '<path d="M93,116 Q106,134 119,116 Z"/>'
    return (
        f'<g clip-path="url(#head)"><g fill="{shade}">{_both_sides(bags)}</g>'
        f'<g fill="{_css(_mix(skin, (60, 40, 50), 0.13))}">{_both_sides(jowls)}</g>'
        f'<g fill="none" stroke="{line}" stroke-width="2.4" stroke-linecap="round">{lines}</g></g>'
    )


def _freckles(skin: tuple[float, ...]) -> str:
    dots = ((98, 132), (104, 136), (110, 132), (101, 141), (108, 142))
    fill = _css(_mix(skin, (120, 50, 20), 0.5))
    return _both_sides("".join(f'<circle cx="{x}" cy="{y}" r="1.9" fill="{fill}"/>' for x, y in dots))


def _part(folder: str, name: str, x: float, y: float, colour: str = "#000000", attributes: str = "") -> str:
    content = parts.fragment(folder, name).replace(parts.COLOUR, colour)
    return f'<g transform="translate({x},{y})"{attributes}>{content}</g>'


def _eyebrows(person: Person, colour: str) -> str:
    content = parts.fragment("eyebrows", person.eyebrows).replace("#000000", colour)
    content = content.replace('fill-opacity="0.599999964"', "")
    stroke = f' stroke="{colour}" stroke-width="{3.2 if person.male else 0.6}" stroke-linejoin="round"'
    return f'<g transform="translate(76,82)"{stroke}>{content}</g>'


def _lashes() -> str:
    lines = '<path d="M90,106 Q96,109 99,106 Q105,101 114,106 M97,106.5 L91,101"/>'
    return f'<g fill="none" stroke="#1d1418" stroke-width="2.6" stroke-linecap="round">{_both_sides(lines)}</g>'


def _mouth(person: Person) -> str:
    mouth = _part("mouth", person.mouth, 78, 134)
    style = 'fill="#8a4038"' if person.male else 'fill="#c8354f" stroke="#c8354f" stroke-width="5.5"'
    lips = parts.outline("mouth", person.mouth).replace(parts.COLOUR, style)
    if not person.male and person.mouth in ("twinkle", "serious", "sad"):
        mouth = f'<g opacity="0.45">{mouth}</g>'  # closed: a line between the lips, not a dark opening
    return f'<g transform="translate(78,134)" stroke-linejoin="round">{lips}</g>{mouth}'


def _facial_hair(person: Person, colour: str, skin: tuple[float, ...]) -> tuple[str, str]:
    """What lies under the mouth and what lies over it."""
    if not person.male:
        return "", ""
    if person.facial_hair == "stubble":
        shadow = _css(_mix(skin, (50, 45, 55), 0.35))
        jaw = "M76,122 Q84,140 108,142 Q132,136 156,142 Q180,140 188,122 L188,200 L76,200 Z"
        return f'<g clip-path="url(#head)"><path d="{jaw}" fill="{shadow}"/></g>', ""
    drawn = _part("facial_hair", person.facial_hair, 49, 72, colour)
    return ("", drawn) if person.facial_hair.startswith("moustache") else (drawn, "")


def svg(person: Person, width: int = WIDTH) -> str:
    """The picture as SVG: 178 x 218 user units, `width` pixels wide."""
    skin, hair = _skin_rgb(person), hair_rgb(person)
    grey = 0.0 if person.young else 1.0 + 0.15 * person.grey_jitter
    beard = _mix(_mix(hair, (150, 80, 40), 0.06 * (1 + person.facial_hair_jitter)), (232, 232, 234), 0.55 * grey)
    brows = _mix(
        _mix(hair, (70, 34, 10), 0.35 if person.hair_colour == "Blond_Hair" else 0.1), (232, 232, 234), 0.6 * grey
    )
    definitions = f'<clipPath id="head"><path d="{_HEAD}"/></clipPath>'
    hair_paint = _css(hair)
    if grey:
        definitions += _strands(hair, grey)
        hair_paint = "url(#strands)"
    under, over = _facial_hair(person, _css(beard), skin)
    clothes = _css(person.clothes_rgb)
    layers = [
        f'<path d="{_BODY}" fill="{_css(skin)}"/>',
        '<path d="M76,130 C76,160.93 101.07,186 132,186 C162.93,186 188,160.93 188,130 L188,138 C188,168.93 162.93,194'
        ' 132,194 C101.07,194 76,168.93 76,138 Z" fill="#000000" fill-opacity="0.1" clip-path="url(#body)"/>',
        f'<rect x="32" y="278" width="200" height="80" fill="{clothes}"/>',
        _part("clothes", person.clothes, 0, 170, clothes),
        _age_marks(person, skin),
        _freckles(skin) if person.freckles else "",
        under,
        _mouth(person),
        over,
        _part("nose", person.nose, 104, 122, attributes=' fill-opacity="0.16"'),
        _part("eyes", person.eyes, 76, 90),
        "" if person.male else _lashes(),
        _eyebrows(person, _css(brows)),
        _part("top/hair", HAIR_PAIRS[person.hair_pair][int(person.male)], 0, 0, hair_paint),
        "" if person.glasses == "none" else _part("accessories", person.glasses, 62, 85),
    ]
    definitions += f'<clipPath id="body"><path d="{_BODY}"/></clipPath>'
    scale = _PIXELS_PER_UNIT * person.scale
    x, y = WIDTH / 2 + person.shift[0], HEIGHT / 2 + person.shift[1]
    pose = (
        f"translate({x:.3f},{y:.3f}) rotate({person.rotation:.3f})"
        f" scale({-scale if person.mirrored else scale:.5f},{scale:.5f}) translate({-_CENTRE[0]},{-_CENTRE[1]})"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height_of(width)}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">'
        f'<defs>{definitions}</defs>{_background(person)}<g transform="{pose}">{"".join(layers)}</g></svg>'
    )


def draw(person: Person, width: int = WIDTH) -> np.ndarray:
    """The picture as uint8 [H, W, 3]: `width` pixels wide, height in CelebA's proportion (218 for 178)."""
    import resvg_py  # here, as in parts.py

    png = resvg_py.svg_to_bytes(svg_string=svg(person, width), skip_system_fonts=True)
    with Image.open(io.BytesIO(bytes(png))) as image:
        return np.asarray(image.convert("RGB"))


def height_of(width: int) -> int:
    """Height of a picture `width` pixels wide."""
    return round(width * HEIGHT / WIDTH)
