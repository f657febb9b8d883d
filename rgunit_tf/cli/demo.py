"""A web page to try a model: choose a picture and attributes, see the translation and what guided it.

    demo
    demo --model=runs/cat_dog
    demo --model=runs/avatars/guided/export --examples=photos --port=0 --open_browser

Without --model it takes the cartoon faces that come with the package.

It begins with a picture in which each attribute is changed on its own, and shows the one that was chosen before and
after. Of a picture of your own another square than the centre can be taken; one that is unlike those of the training is
told so.

The page needs no network: all of it comes from this command, which answers to this machine alone unless --host says
otherwise. Pictures are kept in memory, a few at a time, and never written. Ctrl-C ends it.

Exit codes: 0 ended by Ctrl-C; 2 a mistake in the flags.
"""

from __future__ import annotations

import sys
import webbrowser

from absl import flags

from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import UserError

FLAGS = Flags()
_MODEL = FLAGS.model(required=False)
_PORT = flags.DEFINE_integer(
    "port", 8000, "where the page is; 0: a free one", lower_bound=0, upper_bound=65535, flag_values=FLAGS.values
)
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "address to answer at; 0.0.0.0: every one of this machine", flag_values=FLAGS.values
)
_EXAMPLES = flags.DEFINE_multi_string(
    "examples",
    None,
    "pictures to begin with, files or folders; by default test pictures of the run, or of its gallery",
    flag_values=FLAGS.values,
)
_OPEN_BROWSER = flags.DEFINE_bool("open_browser", False, "show the page in a browser", flag_values=FLAGS.values)
_ALIGN_FACES = FLAGS.align_faces()


def main(argv: list[str]) -> int:
    """Loads the model, says where the page is and serves it until it is interrupted; returns the exit code."""
    del argv
    from rgunit_tf import bundled
    from rgunit_tf.faces import alignment
    from rgunit_tf.inference.description import describe

    if _ALIGN_FACES.value:
        alignment.check()
    description = describe(_MODEL.value or bundled.path(), "translate")
    if not description.translates:
        raise UserError(f"--model={_MODEL.value} is an export of the retrieval stage; give another stage's")
    try:
        from rgunit_tf.demo import app, examples, server
    except ModuleNotFoundError as error:
        if error.name not in ("flask", "werkzeug"):
            raise
        raise UserError("bin/demo needs Flask; install it with pip install 'rgunit_tf[demo]'") from None
    pictures = examples.from_files(_EXAMPLES.value) if _EXAMPLES.value else examples.from_run(description)
    with server.bind(_HOST.value, _PORT.value) as bound:
        from rgunit_tf.demo.studio import Studio
        from rgunit_tf.inference.model import load

        studio = Studio(load(description), pictures, _ALIGN_FACES.value)
        seconds = studio.warm_up()
        local = server.is_local(_HOST.value)
        if not local:
            print(f"demo: --host={_HOST.value} lets other machines in, without a password", file=sys.stderr)
        served = server.make(app.create_app(studio, server.LOCAL_NAMES if local else None), bound)
        print(f"demo: {description} at {server.url(bound)} ({1000 * seconds:.0f} ms a translation); Ctrl-C ends it")
        sys.stdout.flush()
        if _OPEN_BROWSER.value:
            webbrowser.open(server.url(bound))
        served.serve_forever()
    return 0


def run() -> None:
    """Entry point of `bin/demo` and `rgunit-demo`."""
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
