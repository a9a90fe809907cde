"""Pictures of maps for people: names, methods that can serve, and what goes wrong in words."""

import cv2
import numpy as np
import pytest
import timm
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from safetensors.torch import save_file

from getam_core.classes import SCENE_CLASSES
from getam_core.errors import InputError
from getam_core.explain import Subject, explain, load_subject
from getam_core.explain.command import main
from getam_core.networks import save_network
from tests.explained import IMAGE, model_of
from tests.networks import TINY, tiny_network


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.fixture
def photograph(image, tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    return tmp_path / "photo.png"


@pytest.fixture
def checkpoint(tmp_path):
    save_network(tmp_path / "checkpoint.pt", tiny_network(), TINY, SCENE_CLASSES)
    return tmp_path / "checkpoint.pt"


def subject(names=("cat, tabby", "dog", "hot dog", "car")):
    def prepare(array):
        resized = cv2.resize(array, IMAGE[::-1])
        return torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255

    return Subject(model_of("vit"), names, prepare, exclusive=False)


def titles(figure):
    return [axes.get_title() for axes in figure.axes[:-1]]


def test_one_method_has_a_column_a_class_with_its_score(image):
    figure = explain([image, image], subject(), classes=["tabby", "dog"])
    assert [t.rpartition(",")[0] for t in titles(figure)] == ["cat", "dog"] * 2
    assert all(t.endswith("%") for t in titles(figure))


def test_without_names_the_likeliest_classes_come_first(image):
    model = subject()
    with torch.no_grad():
        order = model.model(model.prepare(image))[0].argsort(descending=True).tolist()
    shown = [title.rpartition(",")[0] for title in titles(explain([image], model, top=2))]
    assert shown == [model.class_names[i].split(",")[0] for i in order[:2]]


def test_maps_stand_under_the_class_that_they_are_of(image):
    # asked for against the order of the classes, the panels change places with their titles
    panels = [
        explain([image], subject(), classes=names).axes[k].images[0].get_array()
        for names, k in ((["car", "cat"], 1), (["cat", "car"], 0))
    ]
    np.testing.assert_array_equal(*panels)
    different = explain([image], subject(), classes=["cat", "car"]).axes
    assert (different[0].images[0].get_array() != different[1].images[0].get_array()).any()


def test_names_are_no_formulas_and_no_patterns(image):
    names = ["$a$b", "x_1^2", "<i>", "back\\slash"]
    figure = explain([image], subject(names), classes=["$A$b", "x_1^2"])
    FigureCanvasAgg(figure).draw()
    assert [t.rpartition(",")[0] for t in titles(figure)] == [r"\$a\$b", "x_1^2"]


def test_methods_that_cannot_read_the_network_are_left_out(image):
    methods = ("getam", "grad_cam", "ts_cam", "cam_add", "cnn_cam")
    figure = explain([image], subject(), classes=["car"], methods=methods)
    assert [t.partition(",")[0] for t in titles(figure)] == [
        "car",
        "GETAM",
        "Grad-CAM",
        "CAM (add)",
    ]
    with pytest.raises(
        InputError, match=r"none of these methods can read .*: ts_cam: .*; cnn_cam: "
    ):
        explain([image], subject(), methods=("ts_cam", "cnn_cam"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bird", r"'bird': .* it has 4: cat, tabby; dog; hot dog; car"),
        ("o", "'o' matches 2 .* dog; hot"),
    ],
)
def test_a_name_must_fit_one_class(name, message, image):
    with pytest.raises(InputError, match=message):
        explain([image], subject(), classes=[name])


def test_a_run_s_network_and_a_photograph_make_a_picture(photograph, checkpoint, tmp_path, capsys):
    out = tmp_path / "out.png"
    command = [str(photograph), "--model", str(checkpoint), "--classes", "ring", "-o", str(out)]
    assert main(command) == 0 and cv2.imread(str(out)) is not None
    assert main([*command, "--compare", "--size", "32"]) == 0
    assert capsys.readouterr().out == f"{out}\n" * 2


def test_timm_s_networks_know_imagenet_s_names_and_take_weights_from_a_file(photograph, tmp_path):
    torch.manual_seed(0)
    state = timm.create_model("test_vit", num_classes=1000).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    loaded = load_subject("test_vit", weights=tmp_path / "w.safetensors")
    assert "tabby, tabby cat" in loaded.class_names and loaded.exclusive
    assert all(torch.equal(v, state[k]) for k, v in loaded.model.state_dict().items())
    out = tmp_path / "out.png"
    command = ["--model", "test_vit", "--weights", str(tmp_path / "w.safetensors")]
    assert main([str(photograph), *command, "--classes", "tabby", "-o", str(out)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "vit_tiny_patch16_225", "--weights", "random"], "vit_tiny_patch16_224"),
        (["--model", "none/checkpoint.pt"], "no such checkpoint"),
        (["--model", "test_vit", "--weights", "none.pt"], "no such weights file"),
        (["--model", "test_vit", "--weights", "random", "--size", "90"], "multiples of the patch"),
        (["--model", "resnet10t", "--weights", "random", "--size", "90"], "does not accept --size"),
    ],
)
def test_wrong_input_is_one_line_and_no_picture(arguments, message, photograph, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert main([str(photograph), *arguments, "-o", str(out)]) == 2
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1 and not out.exists()


def test_a_file_that_is_no_image_is_named(tmp_path, checkpoint, capsys):
    (tmp_path / "a.jpg").write_text("words")
    arguments = ["--model", str(checkpoint), "-o", str(tmp_path / "o.png")]
    assert main([str(tmp_path / "a.jpg"), *arguments]) == 2
    assert "a.jpg: not an image" in capsys.readouterr().err
