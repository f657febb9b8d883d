"""Makes the paper's Tables 1-4 on the data of a config, ours beside the paper's: trains and evaluates what is missing.

Runs share the stages that they have in common, and a second call goes on where the first one stopped. The tables are
written to <output>/tables/, the runs to <output>/seed<n>/; with --jobs, what each run says to <output>/logs/.
"""

from __future__ import annotations

import pathlib
import sys

from absl import flags

from rgunit_tf.cli import launcher
from rgunit_tf.cli.flags import Flags
from rgunit_tf.errors import UserError

FLAGS = Flags()
_CONFIG = FLAGS.config()
_TABLE = flags.DEFINE_enum(
    "table", "all", ["1", "2", "3", "4", "all"], "table of the paper, or all four", flag_values=FLAGS.values
)
_OUTPUT = FLAGS.output("folder of the runs and tables (default: runs/reproduce_<config>)", required=False)
_SEEDS = flags.DEFINE_integer(
    "seeds", 1, "repetitions, each with another seed of the training", lower_bound=1, flag_values=FLAGS.values
)
_FRACTIONS = flags.DEFINE_list(
    "fractions", ["25", "50", "100"], "shares of labelled data of Table 3, percent", flag_values=FLAGS.values
)
_COUNTS = flags.DEFINE_list(
    "neighbor_counts", ["1", "3", "10"], "numbers of retrieved images of Table 4", flag_values=FLAGS.values
)
_VARIANTS = flags.DEFINE_list(
    "variants",
    [],
    "other ways to guide, as further rows of Tables 2 and 3, each beside its own random images: attention, "
    "fused_content, neighbor_styles, mixed_start, or several joined by +",
    flag_values=FLAGS.values,
)
_JOBS = flags.DEFINE_integer(
    "jobs", 1, "runs at a time, each on its share of the CPU's cores", lower_bound=1, flag_values=FLAGS.values
)
_ONLY = flags.DEFINE_string(
    "only", None, "do this run alone, by its name in --dry_run: one job of a cluster", flag_values=FLAGS.values
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "only list the runs, and the time that they would take", flag_values=FLAGS.values
)


def main(argv: list[str]) -> None:
    """Runs what is missing for the tables asked for, and prints them."""
    del argv
    percents = _whole_numbers("fractions", _FRACTIONS.value, 100)
    counts = _whole_numbers("neighbor_counts", _COUNTS.value, 1000)
    from rgunit_tf.experiments.plan import guidance
    from rgunit_tf.experiments.reproduce import Reproduction, duration
    from rgunit_tf.experiments.tables import all_tables
    from rgunit_tf.runs.training import configure

    config = _CONFIG.value
    name = FLAGS.config_name()
    for variant in _VARIANTS.value:
        guidance(variant)
    tables = all_tables(percents, counts, _VARIANTS.value)
    asked = [tables[int(_TABLE.value)]] if _TABLE.value != "all" else list(tables.values())
    output = pathlib.Path(_OUTPUT.value or pathlib.Path("runs") / f"reproduce_{name}")
    configure(config)
    reproduction = Reproduction(config, output, asked, range(_SEEDS.value))
    if _DRY_RUN.value:
        from rgunit_tf import data
        from rgunit_tf.experiments.step_times import seconds_per_step

        seconds = seconds_per_step(config, data.from_config(config.data))
        lines, total = reproduction.outlook(seconds)
        print("\n".join(lines))
        measured = ", ".join(f"{stage} {value:.3f} s" for stage, value in seconds.items())
        print(f"training: {duration(total)} in all, by the time of a step here ({measured}); evaluation comes on top")
        return
    if _ONLY.value:
        reproduction.run_one(_ONLY.value)
        return
    if _JOBS.value > 1:
        from rgunit_tf.experiments.side_by_side import run_side_by_side

        reproduction.prepare()
        # The last word on a flag holds.
        command = [sys.executable, "-m", "rgunit_tf.cli.reproduce", *sys.argv[1:], "--jobs=1"]
        run_side_by_side(reproduction, command, _JOBS.value)
    else:
        reproduction.run()
    print("\n\n".join(reproduction.write()))
    print(f"\nwritten to {output / 'tables'}")


def _whole_numbers(flag: str, words: list[str], highest: int) -> list[int]:
    numbers = []
    for word in words:
        if not word.strip().isdigit() or not 1 <= int(word) <= highest:
            raise UserError(f"--{flag}={','.join(words)}: must be whole numbers from 1 to {highest}, joined by commas")
        numbers.append(int(word))
    if not numbers:
        raise UserError(f"--{flag} is empty; give whole numbers joined by commas")
    return sorted(set(numbers))


def run() -> None:
    """Entry point of `bin/reproduce` and `rgunit-reproduce`."""
    launcher.run(main, FLAGS)


if __name__ == "__main__":
    run()
