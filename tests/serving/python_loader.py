"""Answers requests, one JSON object a line, from SavedModels; imports only TensorFlow, and ScaNN where told to."""

from __future__ import annotations

import json
import sys

import wire


def main() -> None:
    import tensorflow as tf

    loaded = {}
    for line in sys.stdin:
        request = json.loads(line)
        path = request["model"]
        try:
            if request["op_library"]:
                import scann  # noqa: F401
            if path not in loaded:
                loaded[path] = tf.saved_model.load(path)
            function = loaded[path].signatures[request["signature"]]
            inputs = {
                name: tf.constant(
                    wire.unpack(packed).tolist() if packed["dtype"] == "string" else wire.unpack(packed),
                    packed["dtype"],
                    packed["shape"],
                )
                for name, packed in request["inputs"].items()
            }
            answer = {"outputs": {name: wire.pack(value.numpy()) for name, value in function(**inputs).items()}}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answer["modules"] = sorted({name.partition(".")[0] for name in sys.modules} & {"rgunit_tf", "scann"})
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
