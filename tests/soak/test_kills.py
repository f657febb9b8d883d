"""Commands are killed at random moments: nothing is lost, and the same command goes on to the undisturbed result.

RGUNIT_KILLS: kills a command (20). RGUNIT_SOAK_SEED: of the moments and the signals (0). RGUNIT_SOAK_OUTPUT: folder of
kills.md and kills.json, a line a command; they are printed too.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

import pytest

_FILE = pathlib.Path(__file__).with_name("small_runs.py")
_spec = importlib.util.spec_from_file_location("small_runs", _FILE)
small_runs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(small_runs)

KILLS = int(os.environ.get("RGUNIT_KILLS", 20))
SEED = int(os.environ.get("RGUNIT_SOAK_SEED", 0))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENCE = 3600.0
COMMANDS = ("translation", "retrieval", "guided", "gallery", "export", "prepare", "translate")


@dataclasses.dataclass
class Work:
    """A command under test.

    Attributes:
      arguments: of the command; `{folder}` stands for the folder that it fills.
      base: a folder from which each run begins, or None for none.
      spread: kills come up to so many seconds after the first sign of work.
    """

    arguments: list[str]
    base: pathlib.Path | None
    spread: float


@dataclasses.dataclass
class Row:
    """A line of the table."""

    command: str
    kills: int = 0
    by_signal: dict[str, int] = dataclasses.field(default_factory=dict)
    in_start_up: int = 0
    finished_runs: int = 0
    lost: int = 0
    seconds: float = 0.0
    problems: list[str] = dataclasses.field(default_factory=list)


@pytest.fixture(scope="module")
def table(request, tmp_path_factory):
    """The lines so far; they are written after each command and printed at the end."""
    rows: list[Row] = []
    yield rows
    folder = pathlib.Path(os.environ.get("RGUNIT_SOAK_OUTPUT") or tmp_path_factory.mktemp("kills"))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{text_of(rows)}\nwritten to {folder}")


def text_of(rows: list[Row]) -> str:
    lines = [f"seed {SEED}", "| fault | command | injected | survived | lost | runs to the end | seconds a kill |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        fault = ", ".join(f"{count} {name}" for name, count in sorted(row.by_signal.items()))
        fault += f"; {row.in_start_up} in start-up"
        values = [row.kills, row.kills - row.lost, row.lost, row.finished_runs, round(row.seconds / max(row.kills, 1))]
        lines.append(f"| {fault} | {row.command} | " + " | ".join(map(str, values)) + " |")
    return "\n".join(lines)


def write(rows: list[Row]) -> None:
    if folder := os.environ.get("RGUNIT_SOAK_OUTPUT"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        (pathlib.Path(folder) / "kills.md").write_text(text_of(rows) + "\n")
        content = {"seed": SEED, "rows": [dataclasses.asdict(row) for row in rows]}
        (pathlib.Path(folder) / "kills.json").write_text(json.dumps(content, indent=2) + "\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def trained(place):
    """Undisturbed runs: the workdir after each stage, by its name; before the first it is None."""
    data, found = small_runs.draw_pictures(place / "small", 300, 16), {"nothing": None}
    for stage, before in (("translation", "nothing"), ("retrieval", "translation"), ("guided", "retrieval")):
        found[stage] = place / f"whole-{stage}"
        if found[before]:
            shutil.copytree(found[before], found[stage])
        code, said = small_runs.run(small_runs.training(data, found[stage], stage), place / f"{stage}.txt")
        assert code == 0, said[-3000:]
    return data, found


def work_of(name: str, place: pathlib.Path, request: pytest.FixtureRequest) -> Work:
    folder = pathlib.Path("{folder}")
    if name == "prepare":
        pictures = small_runs.draw_pictures(place / "large", 2200, 128)
        where = [f"--config.data.root={pictures}", f"--output={folder}", "--workers=2"]
        return Work(small_runs.command("prepare", "--config=cat_dog", *where), None, 3.0)
    data, found = request.getfixturevalue("trained")
    if name == "translate":
        pictures = small_runs.draw_pictures(place / "photos", 150, 48)
        options = ["--to=red", "--samples=3", "--show_mask", "--batch_size=4", f"--output={folder}"]
        model = found["guided"] / "guided" / "export" / "1"
        return Work(small_runs.command("translate", f"--model={model}", f"--input={pictures}", *options), None, 4.0)
    if name in ("gallery", "export"):
        base = place / f"base-{name}"
        shutil.copytree(found["guided"], base)
        stage = "retrieval" if name == "gallery" else "guided"
        shutil.rmtree(base / stage / "export")
        if name == "gallery":
            shutil.rmtree(base / "retrieval" / "gallery")
            # More pictures to embed than the model was trained on.
            config = json.loads((base / "config.json").read_text())
            many = small_runs.draw_pictures(place / "many", 4000, 16)
            config["config"]["data"]["retrieval_source"] = str(many)
            (base / "config.json").write_text(json.dumps(config))
        return Work(small_runs.command("export", f"--workdir={folder}", f"--stage={stage}"), base, 4.0)
    before = {"translation": "nothing", "retrieval": "translation", "guided": "retrieval"}[name]
    return Work(small_runs.training(data, folder, name), found[before], 6.0)


def begin(work: Work, folder: pathlib.Path) -> None:
    if work.base:
        shutil.copytree(work.base, folder)
    else:
        folder.mkdir()


def kill(process: subprocess.Popen, number: int) -> None:
    """SIGINT goes to all processes of the command, as from a terminal; the others to itself alone."""
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def disturb(
    process: subprocess.Popen,
    folder: pathlib.Path,
    work: Work,
    number: int,
    early: bool,
    start_up: float,
    chance: random.Random,
) -> tuple[bool, float | None]:
    """Kills a process; returns whether before its work was seen, and after how many seconds that was."""
    before, started = small_runs.work_in(folder), time.monotonic()
    moment = chance.uniform(0.5, start_up) if early else PATIENCE
    seen = None
    while process.poll() is None and time.monotonic() - started < moment:
        if seen is None and small_runs.work_in(folder) - before:
            seen = time.monotonic() - started
            if not early:
                moment = seen + chance.uniform(0.0, work.spread)
        time.sleep(0.02)
    if process.poll() is None:
        kill(process, number)
    process.wait(PATIENCE)
    return seen is None, seen


def answer_problems(code: int, number: int, said: str, folder: pathlib.Path, unseen: bool) -> list[str]:
    """What is wrong with how a command ended that got a signal."""
    if code == 0 or (number == signal.SIGKILL and code == -number):
        return []
    if code == -number and unseen:
        return []  # Python had not come to the first line of the command yet
    problems = [] if code == 128 + number else [f"code {code} after {signal.Signals(number).name}"]
    if "the same command" not in said:
        problems.append(f"no word of how to go on after {signal.Signals(number).name}: {said[-600:]}")
    if "Traceback" in said:
        problems.append(f"a traceback: {said[-1500:]}")
    for step in re.findall(r"saved at step (\d+);", said):
        if not list(folder.glob(f"*/checkpoints/step-{step}.index")):
            problems.append(f"step {step} was said to be saved")
    return problems


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_random_moments(name, place, request, table):
    work, row = work_of(name, place, request), Row(name)
    table.append(row)
    chance = random.Random(f"{SEED} {name}")
    log = place / f"{name}.txt"

    def at(folder):
        return [argument.replace("{folder}", str(folder)) for argument in work.arguments]

    whole = place / f"undisturbed-{name}"
    begin(work, whole)
    code, said = small_runs.run(at(whole), log)
    assert code == 0, said[-3000:]
    expected = small_runs.results(whole)
    assert len(expected) > 3 and not small_runs.check(whole) and not small_runs.leftovers(whole)

    def finish(folder):
        """What is wrong with a run that has come to its end."""
        row.finished_runs += 1
        found = small_runs.results(folder)
        different = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        problems = [f"{key}: not as in the undisturbed run" for key in different[:5]]
        return problems + [f"left behind: {path}" for path in small_runs.leftovers(folder)]

    # Until the first sign of work was seen the length of the start is a guess.
    start_up, folder = 10.0, place / f"killed-{name}-0"
    begin(work, folder)
    started, over = time.monotonic(), False
    while not over:
        number = SIGNALS[row.kills % len(SIGNALS)] if row.kills < KILLS else None
        process, unseen = small_runs.start(at(folder), log), False
        if number:
            early = chance.random() < 0.25
            unseen, seen = disturb(process, folder, work, number, early, start_up, chance)
            start_up = max(start_up, seen or 0.0)
        code, said = process.wait(PATIENCE), log.read_text(errors="replace")
        if code == 0:
            problems = finish(folder)
            over = number is None
            folder = place / f"killed-{name}-{row.finished_runs}"
            if not over:
                begin(work, folder)
        elif number:
            row.kills += 1
            row.in_start_up += unseen
            kind = signal.Signals(number).name
            row.by_signal[kind] = row.by_signal.get(kind, 0) + 1
            problems = answer_problems(code, number, said, folder, unseen) + small_runs.check(folder)
        else:
            problems, over = [f"the same command did not go on: code {code}: {said[-1500:]}"], True
        row.lost += bool(problems)
        row.problems += problems
        row.seconds = time.monotonic() - started
        write(table)
    assert not row.problems, "\n".join(row.problems)
