"""Several runs at a time: their order, their number, and what a failure leaves. The runs are small shell scripts."""

import pytest

from rgunit_tf.errors import RunError
from rgunit_tf.experiments.plan import Experiment, Job
from rgunit_tf.experiments.side_by_side import run_side_by_side

BASE = Experiment("seed0/base", {})
RUNS = [
    Job(BASE, "guided", ("guided",)),
    *(Job(Experiment(f"seed0/{name}", {}, BASE, "guided"), "guided", ("guided",)) for name in ("a", "b", "c")),
]
# Notes that it is under way, works, and leaves a file with its name; no cores to itself are needed for that.
SCRIPT = """
name=${0#--only=seed0/}
echo "+ $name $TF_NUM_INTRAOP_THREADS $TF_FORCE_GPU_ALLOW_GROWTH" >> order; sleep 0.3; echo "- $name" >> order
[ "$name" != "$FAILING" ] || { echo "no luck"; exit 3; }
touch "$name"
"""


class Files:
    """Stands in for a Reproduction: a run is finished when its file is there."""

    jobs = RUNS

    def __init__(self, folder):
        self.output = folder

    def _there(self, experiment):
        return (self.output / experiment.name.rpartition("/")[2]).exists()

    def missing(self, job):
        return ([], []) if self._there(job.experiment) else (["guided"], ["guided"])

    def waits_for(self, job):
        return [] if job.experiment is BASE or self._there(BASE) else ["translation"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_FORCE_GPU_ALLOW_GROWTH"):
        monkeypatch.delenv(name, raising=False)

    def run(failing=""):
        monkeypatch.setenv("FAILING", failing)
        run_side_by_side(Files(tmp_path), ["sh", "-c", SCRIPT], 2)

    return run


def order(folder):
    return [line.split() for line in (folder / "order").read_text().splitlines()]


def test_two_at_a_time_and_none_before_what_it_starts_from(run, tmp_path):
    run()
    lines = order(tmp_path)
    assert [line[:2] for line in lines[:2]] == [["+", "base"], ["-", "base"]]
    assert sorted(line[1] for line in lines[2:] if line[0] == "+") == ["a", "b", "c"]
    under_way, most = 0, 0
    for line in lines:
        under_way += 1 if line[0] == "+" else -1
        most = max(most, under_way)
    assert most == 2
    assert all(int(line[2]) >= 1 and line[3] == "true" for line in lines if line[0] == "+")


def test_what_the_user_set_stays(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "false")
    run()
    assert {tuple(line[2:]) for line in order(tmp_path) if line[0] == "+"} == {("7", "false")}


def test_what_is_there_is_not_done_again(run, tmp_path):
    for name in ("base", "a", "b"):
        (tmp_path / name).touch()
    run()
    assert [line[1] for line in order(tmp_path)] == ["c", "c"]


def test_a_failed_run_names_its_log_and_no_other_is_begun(run, tmp_path):
    with pytest.raises(RunError, match=r"logs/seed0_base\.log ends with exit code 3$"):
        run(failing="base")
    assert (tmp_path / "logs/seed0_base.log").read_text() == "no luck\n"
    assert not (tmp_path / "a").exists()
