"""Runs a command of `rgunit_tf.cli` with numpy in the place of a trained model: COMMAND DIE_AT ARGUMENTS...

DIE_AT is the batch at which the process kills itself, 0 for never. It stands in for a model whose folder says what it
is, as the tests of `rgunit_tf.inference` write it.
"""

import importlib
import importlib.util
import os
import pathlib
import signal
import sys

from rgunit_tf.cli import launcher
from rgunit_tf.inference import model as model_module

CONFTEST = pathlib.Path(__file__).resolve().parents[1] / "inference" / "conftest.py"


def load(description):
    spec = importlib.util.spec_from_file_location("inference_conftest", CONFTEST)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    networks = module.NumpyNetworks(description.schema)
    translate, batches = networks.translate, []

    def counted(images, styles, ids=None):
        batches.append(len(images))
        if len(batches) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return translate(images, styles, ids)

    networks.translate = counted
    return model_module.Model(description, networks)


if __name__ == "__main__":
    name, die_at = sys.argv[1], int(sys.argv[2])
    model_module.load = load
    command = importlib.import_module(f"rgunit_tf.cli.{name}")
    sys.exit(launcher.call(command.main, command.FLAGS, [name, *sys.argv[3:]]))
