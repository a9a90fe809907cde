"""Before any long work: what a run names must exist, and what it fails to name is asked for."""

from pathlib import Path

import pytest

from getam_core.errors import InputError
from getam_core.settings import Settings, check_paths

SOURCE = Path("config/run.yaml")


def check(**values):
    check_paths(Settings.model_validate(values), SOURCE)


def test_a_missing_data_root_says_how_to_give_one():
    with pytest.raises(InputError, match=r"data_root is not set.*--config data_root=FOLDER"):
        check()


def test_a_data_root_that_is_no_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no such folder: .*nowhere"):
        check(data_root=tmp_path / "nowhere")


def test_a_data_set_may_have_a_root_of_its_own(tmp_path):
    off = {"train": {"labels": {"saliency": False}}, "pseudo_labels": {"saliency": False}}
    check(data={"layout": "folder", "root": str(tmp_path)}, **off)
    with pytest.raises(InputError, match=r"data\.root: no such folder: .*absent"):
        check(data={"layout": "folder", "root": str(tmp_path / "absent")}, **off)


def test_weights_that_are_not_there_are_named_with_their_key(tmp_path):
    with pytest.raises(InputError, match=r"model\.weights: no such file.*/w\.safetensors"):
        check(
            data_root=tmp_path,
            model={"weights": str(tmp_path / "w.safetensors")},
            saliency={"source": "precomputed", "folder": str(tmp_path)},
        )


def test_saliency_without_a_source_of_maps_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"saliency\.images: .*saliency\.source: precomputed"):
        check(data_root=tmp_path)


def test_a_trained_saliency_network_stands_for_its_images_and_may_be_another_run_s(
    tmp_path, monkeypatch
):
    trained = "results/other-seed3/saliency/network.pt"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"saliency\.network: no such file.*other-seed3"):
        check(data_root=tmp_path, model={"weights": None}, saliency={"network": trained})
    (tmp_path / "config").mkdir()
    (tmp_path / "config/other.yaml").touch()
    check(data_root=tmp_path, model={"weights": None}, saliency={"network": trained})


def test_a_run_without_saliency_needs_no_source_of_it(tmp_path):
    off = {"saliency": False}
    check(data_root=tmp_path, train={"labels": off}, pseudo_labels=off)


def test_label_maps_to_retrain_on_must_be_there(tmp_path):
    scenes = {"layout": "scenes"}
    with pytest.raises(InputError, match=r"deeplab\.labels: no such file.*others\.h5"):
        check(data=scenes, deeplab={"labels": str(tmp_path / "others.h5")})
    check(data=scenes, deeplab={"weights": "hub:resnet101.a1h_in1k"})
    with pytest.raises(InputError, match=r"model\.weights: no such file or folder: hub:vit"):
        check(data=scenes, model={"weights": "hub:vit"})


def test_labels_that_another_run_makes_need_not_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "other.yaml").touch()

    def check_key(path):
        train = {"supervision": "labels", "label_maps": path}
        check(data={"layout": "scenes"}, train=train)
        check(data={"layout": "scenes"}, deeplab={"labels": path})

    check_key("results/other/pseudo_labels/labels.h5")
    for path in (
        "results/absent/pseudo_labels/labels.h5",
        "results/other/pseudo_labels/labels_h5",
        "results/other/evaluation/masks_train.h5",
        "elsewhere/results/other/pseudo_labels/labels.h5",
    ):
        with pytest.raises(InputError, match=r"train\.label_maps: no such file"):
            check_key(path)
    with pytest.raises(InputError, match=r"model\.weights: no such file"):
        weights = {"weights": "results/other/pseudo_labels/labels.h5"}
        check(data={"layout": "scenes"}, model=weights)


@pytest.mark.parametrize("own", ["state/train.pt", "train/checkpoint.pt"])
def test_a_run_that_has_begun_needs_no_state_to_start_from(tmp_path, monkeypatch, own):
    monkeypatch.chdir(tmp_path)
    values = {"data": {"layout": "scenes"}, "train": {"resume_from": "kept.pt"}}
    (tmp_path / "results/other" / own).parent.mkdir(parents=True)
    (tmp_path / "results/other" / own).touch()
    with pytest.raises(InputError, match=r"train\.resume_from: no such file.*kept\.pt"):
        check(**values)
    (tmp_path / "results/other").rename(tmp_path / "results/run")
    check(**values)


def test_a_run_on_given_labels_needs_no_source_of_saliency(tmp_path):
    check(data_root=tmp_path, train={"supervision": "masks"})


def test_made_scenes_need_no_data_root():
    check(data={"layout": "scenes"}, saliency={"encoder": {"name": "resnet18"}})
