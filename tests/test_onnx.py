"""The network as an ONNX file: what onnxruntime makes of it, without this package."""

import json

import numpy as np
import pytest
import torch

from getam_core.classes import SCENE_CLASSES
from getam_core.errors import InputError
from getam_core.networks import load_network, save_network
from getam_core.segment import onnx_file
from getam_core.segment.command import main
from tests.networks import TINY, tiny_network

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    save_network(folder / "checkpoint.pt", tiny_network(), TINY, SCENE_CLASSES)
    command = ["--model", str(folder / "checkpoint.pt"), "--export-onnx", str(folder / "n.onnx")]
    assert main(command) == 0
    return folder


@pytest.fixture(scope="module")
def session(folder):
    return onnxruntime.InferenceSession(folder / "n.onnx", providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (3, 3, 72, 40), (2, 3, 16, 160)])
def test_logits_are_torch_s_for_any_batch_and_size(folder, session, shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = load_network(folder / "checkpoint.pt").classify_and_segment(images)
    made = session.run(["class_logits", "logits"], {"images": images.numpy()})
    for found, right in zip(made, expected, strict=True):
        np.testing.assert_allclose(found, right, atol=1e-4, rtol=1e-4)


def test_the_file_says_what_it_is(session):
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == list(SCENE_CLASSES)
    assert (about["stride"], about["sides"], about["images"]) == ("8", "8 k", "RGB, 0..1")


def test_a_file_that_differs_is_not_written(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "_exported", lambda *_: proto_of(folder / "n.onnx"))
    model = load_network(folder / "checkpoint.pt")
    for parameter in model.parameters():
        parameter.data += 0.01
    save_network(tmp_path / "other.pt", model, TINY, SCENE_CLASSES)
    with pytest.raises(InputError, match="onnxruntime's results differ from torch's"):
        onnx_file.export_onnx(tmp_path / "other.pt", tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def proto_of(path):
    import onnx

    return onnx.load(path)
