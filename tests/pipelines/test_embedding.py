"""Prepared images become a gallery in shards, by one process or several, at once or in two goes."""

import json
import shutil

import numpy as np
import pytest

from rgunit_tf.cli import embed as command
from rgunit_tf.cli import export, launcher, retrieve
from rgunit_tf.data import tfrecord
from rgunit_tf.errors import UserError
from rgunit_tf.pipelines.embedding import embed
from rgunit_tf.retrieval import Gallery, ShardedGallery

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shards(workdir, prepared, tmp_path_factory):
    """Embedded with two shards, of two files each."""
    output = tmp_path_factory.mktemp("embedded") / "shards"
    told = []
    embed(workdir, prepared, output, shards=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(6, 13), (13, 13)]
    return output


def test_the_shards_hold_what_one_gallery_would(workdir, prepared, shards, stages):
    reader, share = tfrecord.retrieval_images(prepared)
    from rgunit_tf.data import decoding

    images, _ = decoding.decode_rows(reader, range(13), 16, share)
    ids = [reader.id(row) for row in range(13)]
    whole = Gallery.build(stages.retrieval, [{"image": images, "id": ids}])
    found = ShardedGallery.load(shards)
    assert found.ids.tolist() == ids and all(name.startswith("retrieval/") for name in ids)
    np.testing.assert_array_equal(found.images(np.arange(13)), images)
    embeddings = np.concatenate([shard.embeddings.numpy() for shard in found.shards])
    np.testing.assert_allclose(embeddings, whole.embeddings.numpy(), atol=1e-5)


def test_a_call_that_was_cut_off_goes_on(workdir, prepared, shards, tmp_path, files_of):
    class Killed(Exception):
        pass

    def stop(done, total):
        raise Killed

    with pytest.raises(Killed):
        embed(workdir, prepared, tmp_path / "out", shards=2, progress=stop)
    (first,) = (tmp_path / "out").glob("*/manifest.json")
    before = first.stat().st_ino
    embed(workdir, prepared, tmp_path / "out", shards=2)
    assert first.stat().st_ino == before and files_of(tmp_path / "out") == files_of(shards)


def test_processes_write_the_same_files(workdir, prepared, shards, tmp_path, files_of):
    embed(workdir, prepared, tmp_path / "out", shards=2, workers=2)
    assert files_of(tmp_path / "out") == files_of(shards)


def test_other_shards_are_not_taken_for_these(workdir, prepared, shards, tmp_path):
    with pytest.raises(UserError, match="00000-of-00002: a shard of another gallery; choose another --output"):
        embed(workdir, prepared, shards, shards=3)
    with pytest.raises(UserError, match="a shard of another gallery"):
        embed(workdir, prepared, shards, shards=2, keep_images=False)
    shutil.copytree(shards, tmp_path / "others")
    manifest = tmp_path / "others" / "00001-of-00002" / "manifest.json"
    facts = json.loads(manifest.read_text())
    facts["metadata"]["made_by"][1] = "another model"
    manifest.write_text(json.dumps(facts))
    with pytest.raises(UserError, match="a shard of another gallery"):
        embed(workdir, prepared, tmp_path / "others", shards=2)
    from rgunit_tf.runs import finished

    with pytest.raises(UserError, match=r"00001-of-00002: embedded by another model than .*bin/embed"):
        finished.load_shards(workdir, [tmp_path / "others"])


def test_records_that_are_damaged_are_named(workdir, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "records")
    file = sorted((tmp_path / "records").glob("retrieval-*"))[3]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"retrieval-00003-of-00004.tfrecord: not as it was written"):
        embed(workdir, tmp_path / "records", tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*/manifest.json"))) == 3


def test_mistakes_are_one_line_and_code_2(workdir, prepared, pictures, tmp_path, capsys):
    good = {"workdir": workdir.path, "records": prepared, "output": tmp_path / "out"}
    for name, value, message in (
        ("workdir", tmp_path, "the translation stage is not finished; run bin/train --stage=translation"),
        ("records", pictures, "dataset.json: no such file; run bin/prepare to the end"),
        ("output", pictures / "more" / "1.png", "cannot be written"),
        ("shards", -1, "--shards=-1"),
        ("beam_options", "--x", "goes with --runner=beam"),
    ):
        code = call(command, *(f"--{key}={given}" for key, given in {**good, name: value}.items()))
        err = capsys.readouterr().err
        assert code == 2 and err.count("\n") == 1 and message in err, err
    assert not (tmp_path / "out").exists()


def call(module, *arguments):
    return launcher.call(module.main, module.FLAGS, [module.__name__, "--verbosity=-2", *map(str, arguments)])


def test_the_commands(workdir, prepared, shards, pictures, tmp_path, capsys, files_of):
    output = tmp_path / "shards"
    common = [f"--workdir={workdir.path}", f"--records={prepared}", f"--output={output}", "--shards=2"]
    assert call(command, *common) == 0, capsys.readouterr().err
    assert "embed: 13 images in 2 shards" in capsys.readouterr().out
    assert files_of(output) == files_of(shards)

    question = [f"--model={workdir.path}", f"--input={pictures / 'photos/cat/3.png'}", "--to=Male", "--top=13"]
    assert call(retrieve, *question, f"--gallery={output}", f"--output={tmp_path / 'a.png'}") == 0
    some = f"--gallery={output / '00001-of-00002'},{output / '00000-of-00002'}"
    assert call(retrieve, *question, some, f"--output={tmp_path / 'b.png'}") == 0
    first, second = (json.loads((tmp_path / f"{name}.json").read_text())["results"][0]["found"] for name in "ab")
    assert [entry["id"] for entry in first] == [entry["id"] for entry in second]
    assert len(first) == 13 and (tmp_path / first[0]["file"]).exists()
    capsys.readouterr()
    assert call(retrieve, *question, f"--output={tmp_path / 'c.png'}") == 2
    assert "has no gallery" in capsys.readouterr().err
    assert call(retrieve, *question, f"--gallery={pictures}", f"--output={tmp_path / 'c.png'}") == 2
    assert "neither a gallery nor a folder of galleries" in capsys.readouterr().err

    assert call(export, f"--workdir={workdir.path}", f"--gallery={output}") == 2
    assert "give --stage=retrieval" in capsys.readouterr().err
    assert call(export, f"--workdir={workdir.path}", "--stage=retrieval", f"--gallery={output}") == 0
    folders = capsys.readouterr().out.split()
    assert folders == [str(workdir.path / f"retrieval/shards/0000{number}-of-00002/1") for number in (0, 1)]
    sizes = [json.loads((tmp_path / folder / "assets.extra/rgunit.json").read_text())["gallery"] for folder in folders]
    assert [size["size"] for size in sizes] == [6, 7]
