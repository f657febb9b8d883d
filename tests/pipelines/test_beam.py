"""The same work as an Apache Beam pipeline, where that is installed, on its runner in this process."""

import importlib.util
import json
import pathlib

import pytest

from rgunit_tf.cli import launcher
from rgunit_tf.cli import prepare as prepare_command
from rgunit_tf.data import folder, prepare
from rgunit_tf.errors import RunError, UserError
from rgunit_tf.pipelines import beam

needs_beam = pytest.mark.skipif(importlib.util.find_spec("apache_beam") is None, reason="apache-beam is not installed")


def double(job):
    return json.dumps(2 * job).encode()


def fail(job):
    raise UserError(f"{job} is wrong")


def lose(job):
    raise FileNotFoundError(2, "No such file or directory", job)


@needs_beam
def test_answers_come_in_the_order_of_the_jobs(tmp_path):
    answers = beam.spread(double, list(range(20)), "", tmp_path / "jobs")
    assert [json.loads(answer) for answer in answers] == list(range(0, 40, 2))
    assert not (tmp_path / "jobs").exists()


@needs_beam
def test_errors_are_those_of_the_job(tmp_path):
    with pytest.raises(UserError, match="a is wrong"):
        list(beam.spread(fail, ["a"], "", tmp_path / "jobs"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(beam.spread(lose, ["nowhere"], "", tmp_path / "jobs"))
    with pytest.raises(RunError, match="--runner=beam: the pipeline failed"):
        list(beam.spread(double, [1], "--runner=NoSuchRunner", tmp_path / "jobs"))


@needs_beam
def test_it_writes_the_files_that_the_pool_writes(pictures, prepared, tmp_path, files_of):
    records, others = folder.load_records(pictures / "photos"), folder.unlabelled_reader(pictures / "more")
    spread = beam.spreader("beam", None, tmp_path / "records" / prepare.PROGRESS / "beam")
    prepare.write_tfrecord(records, tmp_path / "records", others, shards=4, spread=spread)
    assert files_of(tmp_path / "records") == files_of(prepared)


@needs_beam
def test_a_pipeline_that_was_cut_off_goes_on(pictures, prepared, tmp_path, files_of):
    records, others = folder.load_records(pictures / "photos"), folder.unlabelled_reader(pictures / "more")
    output = tmp_path / "records"

    def killed(perform, jobs):
        yield from beam.spread(perform, jobs[:5], "", output / prepare.PROGRESS / "beam")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare.write_tfrecord(records, output, others, shards=4, spread=killed)
    kept = {path: path.stat().st_ino for path in output.glob("*.tfrecord")}
    assert len(kept) == 5 and not (output / "dataset.json").exists()
    spread = beam.spreader("beam", "--direct_num_workers=1", output / prepare.PROGRESS / "beam")
    prepare.write_tfrecord(records, output, others, shards=4, spread=spread)
    assert all(path.stat().st_ino == inode for path, inode in kept.items())
    assert files_of(output) == files_of(prepared)


@needs_beam
@pytest.mark.slow
def test_it_embeds_the_shards_that_the_pool_embeds(workdir, prepared, tmp_path, files_of):
    from rgunit_tf.pipelines.embedding import embed

    embed(workdir, prepared, tmp_path / "pool", shards=2)
    spread = beam.spreader("beam", None, tmp_path / "beam" / prepare.PROGRESS / "beam")
    embed(workdir, prepared, tmp_path / "beam", shards=2, spread=spread)
    assert files_of(tmp_path / "beam") == files_of(tmp_path / "pool")


@pytest.fixture
def run(pictures, tmp_path, capsys):
    def run(*arguments):
        given = ["--config=cat_dog", f"--config.data.root={pictures / 'photos'}", f"--output={tmp_path / 'out'}"]
        capsys.readouterr()
        words = ["prepare", "--verbosity=-2", *given, *arguments]
        return launcher.call(prepare_command.main, prepare_command.FLAGS, words), *capsys.readouterr()

    return run


@needs_beam
def test_the_command(run, tmp_path):
    code, out, err = run("--runner=beam", "--beam_options=--runner=DirectRunner --direct_num_workers=1")
    assert code == 0 and "prepare: 60 images" in out, err
    assert {path.suffix for path in pathlib.Path(tmp_path / "out").iterdir()} == {".json", ".tfrecord"}


@needs_beam
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--direct_num_worker=2", "did you mean --direct_num_workers?"),
        ("--direct_num_workers=many", "invalid int value: 'many'"),
        ("--runner='x", "write it as on a command line"),
    ],
)
def test_options_that_beam_cannot_use(run, options, message, tmp_path):
    code, out, err = run("--runner=beam", f"--beam_options={options}")
    assert (code, out, err.count("\n")) == (2, "", 1) and message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beam_options=--runner=FlinkRunner"], "goes with --runner=beam"),
        (["--runner=beam"], "needs the extra `beam`: pip install"),
        (["--runner=spark"], "--runner=spark"),
    ],
)
def test_without_beam(run, monkeypatch, arguments, message, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "apache_beam" else find(name))
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and message in err
    assert not (tmp_path / "out").exists()
