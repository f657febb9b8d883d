"""models.config and batching.config, parsed as the messages that TensorFlow Serving parses them as."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from rgunit_tf.errors import UserError
from rgunit_tf.runs import server_config
from rgunit_tf.runs.workdir import Workdir


@pytest.fixture
def workdir(tmp_path):
    for version in ("translation/export/1", "guided/export/12", "retrieval/export"):
        (tmp_path / version).mkdir(parents=True)
    return Workdir(tmp_path)


def batching_parameters():
    """`tensorflow.serving.BatchingParameters`, which the client package lacks: session_bundle_config.proto."""
    file = descriptor_pb2.FileDescriptorProto(name="batching.proto", package="test", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    message = file.message_type.add(name="BatchingParameters")
    kind = descriptor_pb2.FieldDescriptorProto
    for number, name in enumerate(
        ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"), start=1
    ):
        message.field.add(
            name=name, number=number, type=kind.TYPE_MESSAGE, type_name=".google.protobuf.Int64Value", label=1
        )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.BatchingParameters"))()


def test_models_that_are_exported_are_listed(workdir):
    messages = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    server_config.write(workdir)
    text = (workdir.path / "serving" / "models.config").read_text()
    models = text_format.Parse(text, messages.ModelServerConfig()).model_config_list.config
    assert [(model.name, model.base_path, model.model_platform) for model in models] == [
        ("translation", "/models/translation/export", "tensorflow"),
        ("guided", "/models/guided/export", "tensorflow"),
    ]


def test_another_root_and_a_later_stage(workdir):
    server_config.write(workdir)
    (workdir.path / "retrieval" / "export" / "1").mkdir()
    server_config.write(workdir, '/srv/a "b" ä')
    text = (workdir.path / "serving" / "models.config").read_text(encoding="utf-8")
    assert text.count("config {") == 3 and r'base_path: "/srv/a \"b\" ä/retrieval/export"' in text


def test_a_relative_root_is_refused(workdir):
    with pytest.raises(UserError, match="--models_root=runs/a must be absolute"):
        server_config.write(workdir, "runs/a")


def test_batching(workdir):
    server_config.write(workdir)
    text = (workdir.path / "serving" / "batching.config").read_text()
    parameters = text_format.Parse(text, batching_parameters())
    assert parameters.max_batch_size.value == server_config.MAX_BATCH
    assert parameters.batch_timeout_micros.value > 0 and parameters.max_enqueued_batches.value > 0
