"""10,000 requests to one loaded SavedModel of the guided stage: answers stay, memory too."""

import io

import numpy as np
from PIL import Image


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def test_memory_stays_flat(cc_server, images, attributes):
    files = np.array([png(image) for image in images], object)
    noise = np.zeros((3, 40), np.float32)
    requests = [
        ("translate_files", {"image_bytes": files, "attributes": attributes}),
        ("retrieve_bytes", {"image_bytes": files, "attributes": attributes, "k": np.full(3, 5, np.int32)}),
        ("translate_images", {"images": images, "attributes": attributes}),
        ("retrieve", {"images": images, "attributes": attributes, "k": np.full(3, 12, np.int32)}),
        ("encode", {"images": images}),
        ("sample_styles", {"attributes": attributes, "noise": noise}),
    ]
    first, memory = {}, []
    for number in range(10_000):
        signature, inputs = requests[number % len(requests)]
        count = 1 + number % 3
        found = cc_server.ask("guided", signature, **{name: value[:count] for name, value in inputs.items()})
        if number < 18:
            first[signature, count] = found
        elif number % 997 == 0:
            assert all((found[name] == value).all() for name, value in first[signature, count].items())
        if number % 500 == 499:
            memory.append(cc_server.memory_mib())
    print("MiB after each 500 requests:", [round(value) for value in memory])
    assert max(memory[4:]) - memory[3] < 32
