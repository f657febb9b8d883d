"""Stands in for a command in the tests of the launcher."""

import atexit
import os
import signal
import sys
import time

from absl import flags, logging

from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import RunError, UserError

FLAGS = Flags()
_CONFIG = FLAGS.config()
_WORKDIR = FLAGS.workdir(required=False)
_STAGE = FLAGS.stage()
_DO = flags.DEFINE_string("do", "", "what the command does", flag_values=FLAGS.values)


def main(argv):
    config = _CONFIG.value
    if _DO.value == "show":
        print([*argv[1:], config.data.attributes, config.data.groups, config.data.image_size, config.data.flip])
        print([_WORKDIR.value, _STAGE.value, config.loss.cycle])
    elif _DO.value == "mistake":
        raise UserError("photo.jpg: no such file;\ngive another")
    elif _DO.value == "give_up":
        raise RunError("step 7: cycle not finite")
    elif _DO.value == "fail":
        raise ValueError("a bug")
    elif _DO.value == "code":
        return 3
    elif _DO.value == "log":
        logging.info("a line of the log")
    elif _DO.value == "pipe":
        for _ in range(100_000):
            print("line")
    elif _DO.value == "late":
        atexit.register(os.kill, os.getpid(), signal.SIGTERM)
    elif _DO.value == "translated":
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        except BaseException:
            raise ValueError("what TensorFlow makes of an exception that passes through it") from None
    elif _DO.value in ("SIGINT", "SIGTERM"):
        try:
            os.kill(os.getpid(), getattr(signal, _DO.value))
            time.sleep(10)
        finally:
            print("cleaned up")
    return None


if __name__ == "__main__":
    launcher.run(main, FLAGS, positional="--do=show" in sys.argv)
