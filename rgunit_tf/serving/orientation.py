"""The orientation that a photograph's EXIF or XMP data states, read in-graph, and turning the pixels upright by it.

Every read is bounded: by the end of the file, by a number of segments, by the entries that fit. Data that do not
follow the formats leave the picture as it is. Sources: Exif 2.32 (4.5 and 4.7), TIFF 6.0 (section 2), PNG 3rd edition
(11.3.4.5), XMP part 3 (1.1.3). Of data that span several segments the first is read; data after the pixels are not,
nor a PNG's XMP.
"""

from __future__ import annotations

import tensorflow as tf

_ORIENTATION_TAG = 0x0112
_EXIF, _XMP = b"Exif\x00\x00", b"http://ns.adobe.com/xap/1.0/\x00"
_PNG_SIGNATURE_BYTES = 8
# Segments or chunks looked at; a camera writes fewer than 20 before the pixels.
_MAX_SEGMENTS = 256
_ENTRY_BYTES = 12
# Bytes of a value by TIFF's type: SHORT, LONG, SSHORT, SLONG.
_TYPE_BYTES = {3: 2, 4: 4, 8: 2, 9: 4}


def orientation(encoded: tf.Tensor, is_png: tf.Tensor) -> tf.Tensor:
    """How a file's picture is stored.

    Args:
      encoded: string, a JPEG or PNG file.
      is_png: bool, which of the two.

    Returns:
      int32, 1 (upright) to 8 as EXIF numbers them; 1 where the file says nothing, or nothing that makes sense.
    """
    tiff, xmp = tf.cond(is_png, lambda: (_png_exif(encoded), tf.constant("")), lambda: _jpeg_metadata(encoded))
    stated = _tiff_orientation(tiff)
    stated = tf.cond(stated < 0, lambda: _xmp_orientation(xmp), lambda: stated)
    return tf.where((stated >= 1) & (stated <= 8), tf.cast(stated, tf.int32), 1)


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors uint8 [H, W, 3] so that it is seen as it was taken; sides change places from 5 on."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    for axis, mirrored in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
        is_mirrored = tf.reduce_any(orientation == tf.constant(mirrored))
        image = tf.cond(
            is_mirrored, lambda image=image, axis=axis: tf.reverse(image, [axis]), lambda image=image: image
        )
    return image


def _part(content: tf.Tensor, start: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
    """Bytes of a file, those that it has."""
    end = tf.cast(tf.strings.length(content), tf.int64)
    return tf.strings.substr(content, tf.minimum(start, end), tf.cast(size, tf.int64))


def _bytes(content: tf.Tensor, start: tf.Tensor | int, size: int) -> tf.Tensor:
    """The same as int64 [size], 0 past the end."""
    filled = tf.strings.join([_part(content, tf.cast(start, tf.int64), size), b"\x00" * size])
    return tf.cast(tf.ensure_shape(tf.io.decode_raw(tf.strings.substr(filled, 0, size), tf.uint8), [size]), tf.int64)


def _number(digits: tf.Tensor, is_little: bool | tf.Tensor = False) -> tf.Tensor:
    """Bytes [..., n] as unsigned numbers int64 [...]."""
    size = digits.shape[-1]
    digits = tf.where(is_little, tf.reverse(digits, [-1]), digits)
    return tf.reduce_sum(digits * [256**place for place in reversed(range(size))], axis=-1)


def _jpeg_metadata(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """EXIF (as TIFF) and XMP data of the segments before the first scan; "" where there are none."""
    end = tf.cast(tf.strings.length(encoded), tf.int64)

    def read(position: tf.Tensor, exif: tf.Tensor, xmp: tf.Tensor) -> tuple[tf.Tensor, ...]:
        head = _bytes(encoded, position, 4)
        marker, size = head[1], _number(head[2:])
        # Fill bytes may stand before a marker.
        is_marker = (head[0] == 0xFF) & (marker != 0xFF) & (marker != 0)
        is_alone = (marker == 0x01) | ((marker >= 0xD0) & (marker <= 0xD9))

        def contents() -> tuple[tf.Tensor, tf.Tensor]:
            content = _part(encoded, position + 4, tf.maximum(size - 2, 0))
            is_exif, is_xmp = (tf.strings.substr(content, 0, len(name)) == name for name in (_EXIF, _XMP))
            return tf.where(is_exif & (exif == ""), content, exif), tf.where(is_xmp, content, xmp)

        exif, xmp = tf.cond(is_marker & (marker == 0xE1), contents, lambda: (exif, xmp))
        step = tf.where(is_alone, tf.constant(2, tf.int64), 2 + tf.maximum(size, 2))
        after = position + tf.where(is_marker, step, 1)
        return tf.where(is_marker & (marker == 0xDA), end, after), exif, xmp

    _, exif, xmp = tf.while_loop(
        lambda position, *_: position + 4 <= end,
        read,
        (tf.constant(2, tf.int64), tf.constant(""), tf.constant("")),
        maximum_iterations=_MAX_SEGMENTS,
        parallel_iterations=1,
    )
    return exif, xmp


def _png_exif(encoded: tf.Tensor) -> tf.Tensor:
    """Content of the eXIf chunk before the pixels; "" where there is none."""
    end = tf.cast(tf.strings.length(encoded), tf.int64)

    def read(position: tf.Tensor, exif: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size, name = _number(_bytes(encoded, position, 4)), _part(encoded, position + 4, 4)
        exif = tf.cond(name == b"eXIf", lambda: _part(encoded, position + 8, size), lambda: exif)
        return tf.where((name == b"eXIf") | (name == b"IDAT"), end, position + 12 + size), exif

    return tf.while_loop(
        lambda position, _: position + 8 <= end,
        read,
        (tf.constant(_PNG_SIGNATURE_BYTES, tf.int64), tf.constant("")),
        maximum_iterations=_MAX_SEGMENTS,
        parallel_iterations=1,
    )[1]


def _tiff_orientation(tiff: tf.Tensor) -> tf.Tensor:
    """The tag's value in the first directory, int64; -1 where it is not there."""
    tiff = tf.strings.regex_replace(tiff, r"^(Exif\x00\x00)+", "")
    order = tf.strings.substr(tiff, 0, 2)
    is_little = order == b"II"
    is_tiff = (is_little | (order == b"MM")) & (_number(_bytes(tiff, 2, 2), is_little) == 42)
    start = _number(_bytes(tiff, 4, 4), is_little)
    count = tf.where(is_tiff, _number(_bytes(tiff, start, 2), is_little), 0)
    entries = _part(tiff, start + 2, count * _ENTRY_BYTES)
    whole = tf.strings.length(entries) // _ENTRY_BYTES
    entries = tf.io.decode_raw(tf.strings.substr(entries, 0, whole * _ENTRY_BYTES), tf.uint8)
    entries = tf.cast(tf.reshape(entries, [-1, _ENTRY_BYTES]), tf.int64)
    kinds = _number(entries[:, 2:4], is_little)
    is_orientation = (_number(entries[:, :2], is_little) == _ORIENTATION_TAG) & (
        _number(entries[:, 4:8], is_little) == 1
    )
    values = tf.fill(tf.shape(kinds), tf.constant(-1, tf.int64))
    for kind, size in _TYPE_BYTES.items():
        value = _number(entries[:, 8 : 8 + size], is_little)
        values = tf.where(is_orientation & (kinds == kind), value, values)
    stated = tf.boolean_mask(values, values >= 0)
    # Where it is stated twice the last holds.
    return tf.concat([[tf.constant(-1, tf.int64)], stated], 0)[-1]


def _xmp_orientation(xmp: tf.Tensor) -> tf.Tensor:
    """The value of `tiff:Orientation`, int64; -1 where it is not there."""
    pattern = r"\C*?tiff:Orientation(?:=\"|>)([0-9])\C*"
    return tf.cond(
        tf.strings.regex_full_match(xmp, pattern),
        lambda: tf.strings.to_number(tf.strings.regex_replace(xmp, pattern, r"\1", replace_global=False), tf.int64),
        lambda: tf.constant(-1, tf.int64),
    )
