"""In-graph decoding of JPEG and PNG files to the squares that the models take, and encoding of results as PNG.

Follows `rgunit_tf.data.decoding` step by step (Pillow's reduced JPEG decoding, its box reduction before strong
shrinking, its two rounded passes of the bicubic filter), so that a picture gives the same pixels when it is served as
when it is trained on. With Pillow 12.3, on synthetic pictures of 31x20 to 4000x3000 pixels and 200 photographs: at
most 1 of 255 levels off, in less than 0.3 % of a picture's values (0.03 % of the photographs'). Pillow 13 makes the
vertical pass first for some tall images, which then differ by up to 4 levels, 0.2 on average. Photographs are turned
upright as in training, by their EXIF or XMP data; damaged EXIF data, which training refuses, are ignored.
"""

from __future__ import annotations

import tensorflow as tf

from rgunit_tf.data.decoding import MAX_PIXELS
from rgunit_tf.serving.orientation import orientation, upright
from rgunit_tf.serving.requests import after, require

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_RATIOS = (1, 2, 4, 8)
_REDUCING_GAP = 3.0
_BICUBIC_SUPPORT = 1.5
# Images decoded at the same time within a request; bounds the memory of a batch of large ones.
_PARALLEL = 4


def decode_squares(encoded: tf.Tensor, size: int, crop_share: float = 1.0, max_pixels: int = MAX_PIXELS) -> tf.Tensor:
    """Decodes files, turns them upright, crops the centre square and resizes with antialiasing.

    Args:
      encoded: string [B], JPEG (also greyscale and CMYK) or PNG (also greyscale, palette, transparent and 16-bit).
      size: side of the results, pixels.
      crop_share: side of the centre crop as a share of the image's shorter side.
      max_pixels: images that claim more in their header are refused before they are decoded; decoded pixels take 4
        bytes each, for a moment 7.

    Returns:
      uint8 [B, size, size, 3].

    Raises:
      tf.errors.InvalidArgumentError: when run on bytes that are neither, damaged, or of more than `max_pixels`.
    """

    def decode(item: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        position, content = item
        return _decode_square(content, position, size, crop_share, max_pixels)

    return tf.map_fn(
        decode,
        (tf.range(tf.shape(encoded)[0]), encoded),
        parallel_iterations=_PARALLEL,
        fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8),
    )


def encode_png(images: tf.Tensor) -> tf.Tensor:
    """Encodes uint8 [B, H, W, C], C of 1 or 3, as PNG files: string [B]."""
    return tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.TensorSpec([], tf.string))


def _decode_square(encoded: tf.Tensor, position: tf.Tensor, size: int, crop_share: float, max_pixels: int) -> tf.Tensor:
    is_png = tf.strings.substr(encoded, 0, len(_PNG)) == _PNG
    is_jpeg = tf.strings.substr(encoded, 0, len(_JPEG)) == _JPEG
    known = require(is_png | is_jpeg, "image_bytes[{}] is neither a JPEG nor a PNG file", position)
    height, width = _dimensions(after([known], encoded), is_png)
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    bounded = require(
        (height > 0) & (width > 0) & (pixels <= max_pixels),
        f"image_bytes[{{}}] is {{}} by {{}} pixels; at most {max_pixels} in all are accepted",
        position,
        width,
        height,
    )
    encoded = after([bounded], encoded)

    # As Pillow's draft mode: JPEGs much larger than needed are decoded at a half, a quarter or an eighth.
    shorter = tf.minimum(height, width)
    side = tf.maximum(tf.cast(tf.round(tf.cast(shorter, tf.float32) * crop_share), tf.int32), 1)
    level = sum(tf.cast(side >= 2 * ratio * size, tf.int32) for ratio in _JPEG_RATIOS[1:])
    level = tf.where(is_png, 0, level)
    branches = [lambda ratio=ratio: _decode_jpeg(encoded, ratio) for ratio in _JPEG_RATIOS]
    image = tf.switch_case(tf.where(is_png, len(branches), level), [*branches, lambda: _decode_png(encoded)])
    shrink = tf.cast(tf.gather(_JPEG_RATIOS, level), tf.float32)
    stored = orientation(encoded, is_png)
    image = upright(image, stored)
    height, width = tf.where(stored >= 5, width, height), tf.where(stored >= 5, height, width)
    corner = tf.cast((tf.stack([height, width]) - side) // 2, tf.float32)
    return _resize_square(image, corner / shrink, tf.cast(side, tf.float32) / shrink, size)


def _dimensions(encoded: tf.Tensor, is_png: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width, int32, from the header alone."""

    def of_png() -> tf.Tensor:
        # Width and height stand at bytes 16 to 24, big-endian; a file that ends before has none.
        header = tf.strings.join([tf.strings.substr(encoded, 0, 24), b"\x00" * 24])
        return tf.io.decode_raw(tf.strings.substr(header, 16, 8), tf.int32, little_endian=False)[::-1]

    def of_jpeg() -> tf.Tensor:
        return tf.image.extract_jpeg_shape(encoded)[:2]

    dimensions = tf.ensure_shape(tf.cond(is_png, of_png, of_jpeg), [2])
    return dimensions[0], dimensions[1]


def _decode_jpeg(encoded: tf.Tensor, ratio: int) -> tf.Tensor:
    return tf.io.decode_jpeg(encoded, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")


def _decode_png(encoded: tf.Tensor) -> tf.Tensor:
    """Transparent pixels become white."""
    image = tf.io.decode_png(encoded, channels=4)
    alpha = image[..., 3:]

    def over_white() -> tf.Tensor:
        # round(colour alpha + 255 (1 - alpha)) with alpha in 255ths, in 16 bits to spare memory.
        share = tf.cast(alpha, tf.uint16)
        value = tf.cast(image[..., :3], tf.uint16) * share + 255 * (255 - share) + 128
        return tf.cast(tf.bitwise.right_shift(value + tf.bitwise.right_shift(value, 8), 8), tf.uint8)

    # To files without alpha TensorFlow adds the largest value of their bit depth (byte 24), even where that is not 255.
    bits = tf.minimum(tf.io.decode_raw(tf.strings.substr(encoded, 24, 1), tf.uint8)[0], 8)
    opaque = tf.bitwise.left_shift(1, tf.cast(bits, tf.int32)) - 1
    return tf.cond(tf.reduce_all(alpha == tf.cast(opaque, tf.uint8)), lambda: image[..., :3], over_white)


def _resize_square(image: tf.Tensor, corner: tf.Tensor, side: tf.Tensor, size: int) -> tf.Tensor:
    """A square of uint8 [H, W, 3] -> uint8 [size, size, 3], as Pillow's bicubic with `reducing_gap=3`.

    Args:
      image: the pixels.
      corner: float [2], upper and left edge of the square, in pixels or fractions of them.
      side: float, its side.
      size: side of the result.
    """
    factor = tf.maximum(tf.floor(side / size / _REDUCING_GAP), 1.0)
    image, corner, side = tf.cond(
        factor > 1.0, lambda: _reduce(image, corner, side, factor, size), lambda: (image, corner, side)
    )
    scale = size / side
    image = tf.ensure_shape(image, [None, None, 3])[tf.newaxis]
    for axis in (1, 0):
        sizes = [tf.shape(image)[1], tf.shape(image)[2]]
        scales, offsets = [tf.ones(()), tf.ones(())], [tf.zeros(()), tf.zeros(())]
        sizes[axis], scales[axis], offsets[axis] = tf.constant(size), scale, -corner[axis] * scale
        image = _rounded(_scaled(image, sizes, scales, offsets, "keyscubic"))
    return tf.ensure_shape(image[0], [size, size, 3])


def _reduce(
    image: tf.Tensor, corner: tf.Tensor, side: tf.Tensor, factor: tf.Tensor, size: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Averages blocks of factor x factor pixels within reach of the square; the square moves and shrinks along."""
    shape = tf.shape(image)[:2]
    reach = _BICUBIC_SUPPORT * side / size
    start = tf.maximum(tf.cast(corner - reach, tf.int32), 0)
    stop = tf.minimum(tf.cast(tf.math.ceil(corner + side + reach), tf.int32), shape)
    region = image[start[0] : stop[0], start[1] : stop[1]]
    extent = tf.cast(stop - start, tf.float32)
    blocks = tf.math.ceil(extent / factor)
    # The last blocks may be cut off by the image's edge. Filled up with zeros their mean is too small by a known share.
    fill = tf.cast(blocks * factor - extent, tf.int32)
    filled = tf.pad(region, [[0, fill[0]], [0, fill[1]], [0, 0]])[tf.newaxis]
    sizes, scale, zero = tf.cast(blocks, tf.int32), 1.0 / factor, tf.zeros(())
    means = _scaled(filled, [sizes[0], sizes[1]], [scale, scale], [zero, zero], "box")
    rows, columns = (tf.minimum(factor, extent[axis] - factor * tf.range(blocks[axis])) for axis in (0, 1))
    counts = (rows[:, tf.newaxis] * columns)[..., tf.newaxis]
    reduced = tf.floor(means[0] * factor**2 / counts + _rounding(counts))
    return tf.cast(reduced, tf.uint8), (corner - tf.cast(start, tf.float32)) / factor, side / factor


def _rounding(counts: tf.Tensor) -> tf.Tensor:
    """What Pillow adds to a mean of so many values before it cuts off the fraction.

    Half of the count, as a whole number, over the count. It divides by multiplying with a rounded-down reciprocal, so
    that sums which would just make it to the next level do not, unless the count is a power of two.
    """
    whole = tf.cast(counts, tf.int32)
    power_of_two = tf.bitwise.bitwise_and(whole, whole - 1) == 0
    return (tf.cast(whole // 2, tf.float32) - tf.where(power_of_two, 0.0, 0.25)) / counts


def _scaled(
    images: tf.Tensor, sizes: list[tf.Tensor], scales: list[tf.Tensor], offsets: list[tf.Tensor], kernel: str
) -> tf.Tensor:
    return tf.raw_ops.ScaleAndTranslate(
        images=images,
        size=tf.stack(sizes),
        scale=tf.stack(scales),
        translation=tf.stack(offsets),
        kernel_type=kernel,
        antialias=True,
    )


def _rounded(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(tf.floor(values + 0.5), 0.0, 255.0), tf.uint8)
