"""The flags of a command. A command has its own, at the top of its module; those that several have are named here."""

from __future__ import annotations

import ast
import logging as std_logging
import pathlib
from typing import Any

from absl import flags, logging
from ml_collections import config_flags
from ml_collections.config_flags import tuple_parser

from rgunit_tf.cli import configs
from rgunit_tf.config import STAGES, validate
from rgunit_tf.errors import UserError


class _TupleParser(tuple_parser.TupleParser):
    """Tuples as Python writes them, `("Male", "Young")`, or names joined by commas, `Male,Young`."""

    def parse(self, argument: Any) -> tuple[Any, ...]:
        if not isinstance(argument, str):
            return _nested_tuple(argument if isinstance(argument, list | tuple) else (argument,))
        if not argument.strip():
            return ()
        try:
            value = ast.literal_eval(argument)
        except (ValueError, SyntaxError):
            if any(character in argument for character in "()[]{}'\""):
                raise ValueError("not a tuple") from None
            value = [name.strip() for name in argument.split(",") if name.strip()]
        return _nested_tuple(value if isinstance(value, list | tuple) else (value,))


def _nested_tuple(value: Any) -> Any:
    return tuple(_nested_tuple(item) for item in value) if isinstance(value, list | tuple) else value


class _Plain(std_logging.Formatter):
    """A line of the log as it is, with its level where that is more than information."""

    def format(self, record: std_logging.LogRecord) -> str:
        level = f"{record.levelname.lower()}: " if record.levelno > std_logging.INFO else ""
        return level + super().format(record)


def _is_worth_showing(record: std_logging.LogRecord) -> bool:
    """All that the package says is; of TensorFlow's own lines those that warn."""
    return record.levelno > std_logging.INFO or "/tensorflow/python/" not in record.pathname.replace("\\", "/")


class Flags:
    """The flags of one command, which no other command sees.

    Attributes:
      values: where absl keeps them; a command's other flags are defined there: `flag_values=FLAGS.values`.
    """

    def __init__(self) -> None:
        self.values = flags.FlagValues()
        self.values.set_gnu_getopt(True)
        # In these ml_collections looks for overrides of settings.
        self._arguments: list[str] = []
        self._required: list[str] = []
        # absl's logging reads its flags where absl has them.
        self._logging = flags.FLAGS.flags_by_module_dict()[logging.__name__]
        for flag in self._logging:
            self.values[flag.name] = flag

    def own(self) -> list[flags.Flag]:
        """The flags that are the command's, by name; not those of the log."""
        found = {flag.name: flag for flag in map(self.values.__getitem__, self.values) if flag not in self._logging}
        return [found[name] for name in sorted(found) if not name.startswith("config.")]

    @property
    def has_config(self) -> bool:
        """Whether the command takes a config."""
        return "config" in self.values

    def parse(self, arguments: list[str], positional: bool, whole: bool = True) -> list[str]:
        """Parses the arguments after the command's name, each time anew; returns those that are no flags.

        Args:
          arguments: of the command.
          positional: whether some may be no flags.
          whole: whether none that the command needs may be missing.

        Raises:
          UserError: an argument that the command does not know or cannot use, or a flag it needs that is missing.
        """
        self._forget()
        try:
            arguments = self.values.read_flags_from_files(arguments, force_gnu=True)
            if self.has_config:
                arguments = configs.prepared(arguments)
                self._arguments[:] = ["", *arguments]
            rest = self.values(["", *arguments])[1:]
        except flags.Error as error:
            raise UserError(configs.explain(error)) from error
        if rest and not positional:
            raise UserError(f"unexpected argument {rest[0]!r}; flags are written --name=value")
        if self.has_config:
            validate(self.values["config"].value)
        self._start_log()
        asked = whole and not (self.has_config and self.values["print_config"].value)
        for name in sorted(self._required if asked else ()):
            if self.values[name].value is None:
                raise UserError(f"--{name} is missing; give --{name}=...")
        return rest

    def _forget(self) -> None:
        """Undoes an earlier parse in this process, overrides of settings included."""
        for name in list(self.values):
            if name.startswith("config."):
                delattr(self.values, name)
            elif name != "config":
                self.values[name].unparse()

    def _start_log(self) -> None:
        # Until then absl's log warns that flags are not parsed.
        flags.FLAGS.mark_as_parsed()
        logging.use_absl_handler()
        logging.get_absl_handler().setFormatter(_Plain())
        logging.get_absl_logger().addFilter(_is_worth_showing)
        if not self.values["verbosity"].present:
            logging.set_verbosity(logging.INFO)

    def config(self) -> flags.FlagHolder:
        """`--config=<file or name>` and its overrides `--config.group.name=value`; the value is a locked ConfigDict."""
        config_flags.register_flag_parser_for_type(tuple, _TupleParser())
        flags.DEFINE_bool(
            "print_config", False, "show every setting that is in force, and end", flag_values=self.values
        )
        # No default here: ml_collections would load the file, and fail, while the command's module is imported.
        return config_flags.DEFINE_config_file(
            "config",
            None,
            f"a config file, or the name of one in configs/ (default: {configs.DEFAULT}); "
            "--config.group.name=value overrides a setting",
            sys_argv=self._arguments,
            flag_values=self.values,
        )

    def config_name(self) -> str:
        """Name of the config file that was given, without its ending."""
        return pathlib.Path(config_flags.get_config_filename(self.values["config"])).stem

    def workdir(self, required: bool = True) -> flags.FlagHolder[str]:
        """`--workdir=<folder>`: everything a training writes."""
        return self._text("workdir", "folder of the run: checkpoints, samples, logs, exports", required)

    def model(self, required: bool = True) -> flags.FlagHolder[str]:
        """`--model=<folder>`: a trained model, in any shape that `inference.load` takes."""
        return self._text("model", "a run's folder, one of its stages, or an export (SavedModel)", required)

    def records(self) -> flags.FlagHolder[str]:
        """`--records=<folder>`, required: what `bin/prepare` wrote."""
        return self._text("records", "folder that bin/prepare wrote", required=True)

    def gallery(self, meaning: str) -> flags.FlagHolder[list[str]]:
        """`--gallery=<folder>[,...]`: galleries, or folders of them, in the place of a run's own."""
        return flags.DEFINE_list("gallery", None, meaning, flag_values=self.values)

    def runner(self) -> tuple[flags.FlagHolder[str], flags.FlagHolder[str]]:
        """`--runner=pool|beam` and `--beam_options=<flags>`: who does the work."""
        runner = flags.DEFINE_enum(
            "runner",
            "pool",
            ["pool", "beam"],
            "processes of this machine, or an Apache Beam pipeline (needs the extra `beam`)",
            flag_values=self.values,
        )
        options = flags.DEFINE_string(
            "beam_options",
            None,
            "of the pipeline, in one text: '--runner=FlinkRunner --flink_master=host:8081'; workers see the folders "
            "under the same paths",
            flag_values=self.values,
        )
        return runner, options

    def output(self, meaning: str, required: bool = True) -> flags.FlagHolder[str]:
        """`--output=<path>`; `meaning` says what is written there."""
        return self._text("output", meaning, required)

    def pictures(self) -> flags.FlagHolder[list[str]]:
        """`--input=<file or folder>[,...]`, required, may be repeated."""
        self._required.append("input")
        return flags.DEFINE_multi_string(
            "input",
            None,
            "a picture, or a folder of pictures; several by commas or by repeating the flag",
            flag_values=self.values,
        )

    def to(self) -> flags.FlagHolder[list[str]]:
        """`--to=<attributes>`: names by commas, with a dash before those that shall not hold; may be repeated."""
        return flags.DEFINE_multi_string(
            "to",
            None,
            "attributes to set (Blond_Hair) or to switch off (-Young), by commas; the others stay as the model sees "
            "them in the picture; repeat the flag for several targets",
            flag_values=self.values,
        )

    def reference(self) -> flags.FlagHolder[list[str]]:
        """`--reference=<picture>[,...]`: pictures whose style is the target, in the place of `--to`."""
        return flags.DEFINE_multi_string(
            "reference",
            None,
            "a picture whose style is the target, in the place of --to",
            flag_values=self.values,
        )

    def fit(self) -> flags.FlagHolder[str]:
        """`--fit=crop|pad`: what becomes of pictures that are not square."""
        return flags.DEFINE_enum(
            "fit",
            "crop",
            ["crop", "pad"],
            "the centre square of a picture, as in training, or all of it, filled up",
            flag_values=self.values,
        )

    def align_faces(self) -> flags.FlagHolder[bool]:
        """`--align_faces`: the faces of photographs are cut out as CelebA's are."""
        return flags.DEFINE_bool(
            "align_faces",
            False,
            "take the largest face of each picture, turned and scaled as CelebA's are (needs the extra `faces`)",
            flag_values=self.values,
        )

    def batch_size(self) -> flags.FlagHolder[int]:
        """`--batch_size=<number>`: pictures that go through the networks together."""
        return flags.DEFINE_integer("batch_size", 16, "pictures at a time", lower_bound=1, flag_values=self.values)

    def seed(self) -> flags.FlagHolder[int]:
        """`--seed=<number>`: of everything that is drawn at random."""
        return flags.DEFINE_integer(
            "seed", 0, "seed of what is drawn at random", lower_bound=0, flag_values=self.values
        )

    def stage(self) -> flags.FlagHolder[str]:
        """`--stage=translation|retrieval|guided|all`."""
        return flags.DEFINE_enum(
            "stage", "all", [*STAGES, "all"], "stage of the training, or all three", flag_values=self.values
        )

    def _text(self, name: str, meaning: str, required: bool) -> flags.FlagHolder[str]:
        """A flag of a text. Not absl's required ones: those complain before the command's own checks."""
        if required:
            self._required.append(name)
        return flags.DEFINE_string(name, None, meaning, flag_values=self.values)
