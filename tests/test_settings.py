import json
import re
from argparse import Namespace
from pathlib import Path

import pytest

from getam_core.classes import COCO_CLASSES, VOC_CLASSES
from getam_core.errors import InputError
from getam_core.settings import SAVING, Settings, check_paths, load_settings
from tests.conftest import REPOSITORY
from workflow_scripts import command

RUNS = REPOSITORY / "config"


@pytest.fixture
def run(tmp_path):
    def write(text):
        path = tmp_path / "run.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("path", sorted(RUNS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_run_of_the_repository_is_valid(path):
    load_settings(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trian: {epochs: 3}", ["trian", "unknown key", "did you mean train?"]),
        ("train: {epoch: 3}", ["train.epoch", "did you mean train.epochs?"]),
        ("train: {labels: {gama: 3}}", ["train.labels.gama", "train.labels.gamma?"]),
        ("model: {stem: {nam: x}}", ["model.stem.nam", "model.stem.name?"]),
        ("epochs: 3", ["epochs: unknown key; did you mean saliency.epochs or train.epochs?"]),
        ("train: {alpha: 0.8}", ["train.labels.alpha, pseudo_labels.alpha or ablation.alpha?"]),
        ("pseudo_labels: {xyzzy: 3}", ["pseudo_labels.xyzzy", "known here: method"]),
        ("pseudo_labels: {alpha: 1.5}", ["pseudo_labels.alpha", "less than or equal to 1", "1.5"]),
        ("pseudo_labels: {refinement: guided}", ["pseudo_labels.refinement", "'pamr'", "'guided'"]),
        ("train: {epochs: few}", ["train.epochs", "valid integer", "'few'"]),
        ("train: {epochs: 3, classification_epochs: 4}", ["train:", "must not exceed epochs (3)"]),
        ("train: {supervision: labels}", ["train:", "supervision: labels needs label_maps"]),
        ("train: {label_maps: x.h5}", ["train:", "label_maps needs supervision: labels"]),
        (
            "train: {supervision: masks, epochs: 3, classification_epochs: 3}",
            ["train: supervision: masks needs classification_epochs below epochs (3)"],
        ),
        ("data: {classes: [cat, cat]}", ["data.classes", "different names"]),
        ("data: {classes: [background]}", ["data.classes", "not usable", "'background'"]),
        ("data: {classes: [' cat']}", ["data.classes", "not usable", "' cat'"]),
        ('data: {classes: ["a\\nb"]}', ["data.classes", "not usable", r"'a\nb'"]),
        ("data: {layout: folders}", ["data.layout", "'folder'", "'folders'"]),
        ("data: {train: a, val: a}", ["data: train and val are both 'a'"]),
        ("data: {layout: folder, labels: masks}", ["data:", "labels: masks needs classes"]),
        ("data: {layout: coco, sbd: x}", ["data: labels: masks and sbd belong to layout: voc"]),
        ("data: {layout: folder, val_share: 1}", ["data.val_share", "less than 1"]),
        ("data: {layout: scenes, classes: [cat]}", ["data: layout: scenes has its own classes"]),
        ("train: {scale_range: [300, 200]}", ["train.scale_range", "smaller number first"]),
        ("predict: {sizes: []}", ["predict.sizes", "at least 1 item"]),
        ("evaluate: {seeds: [getam, getam]}", ["evaluate.seeds", "different names"]),
        ("model: {stem: {name: resnet18}}", ["model", "weights must be null with a stem"]),
        ("deeplab: {crop_size: 320}", ["deeplab.crop_size", "8, plus 1: 321, for example", "320"]),
        ("deeplab: {weights: null}", ["deeplab:", "weights: null needs batch_norm: trained"]),
        ("deeplab: {width: 32}", ["deeplab:", "weights must be null unless width is 64"]),
        ("deeplab: {supervision: masks, labels: x.h5}", ["deeplab:", "labels must be null"]),
        ("deeplab: {scale_range: [2, 1]}", ["deeplab.scale_range", "smaller number first"]),
        ("deeplab: {depth: 34}", ["deeplab.depth", "18, 50 or 101", "34"]),
        ("[1, 2]", ["expected keys and values", "list"]),
        ("a: [", ["not valid YAML"]),
    ],
)
def test_wrong_settings_are_named_with_file_key_and_expectation(run, text, words):
    path = run(text)
    with pytest.raises(InputError) as error:
        load_settings(path)
    assert all(word in str(error.value) for word in [str(path), *words])


def test_all_wrong_keys_are_reported_at_once(run):
    with pytest.raises(InputError) as error:
        load_settings(run("trian: 1\nseed: x\n"))
    assert len(str(error.value).splitlines()) == 2


def test_a_run_without_file_lists_the_runs_there_are(run):
    path = run("seed: 1")
    with pytest.raises(InputError, match=r"no such run; the runs of .* are: run"):
        load_settings(path.with_name("other.yaml"))


def test_values_of_the_command_line_become_the_same_settings_as_those_of_the_file(run):
    written = load_settings(run("pseudo_labels: {alpha: 0.8}\nmaps: {size: 320}\nseed: 3\n"))
    path = run("pseudo_labels: {alpha: 0.5}\n")
    given = {"pseudo_labels": {"alpha": "0.8"}, "maps": {"size": "320"}, "seed": "3"}
    assert load_settings(path, given) == written
    assert load_settings(path, {"maps": {"size": "null"}}).maps.size is None


def test_an_override_keeps_the_sibling_keys_of_the_file(run):
    path = run("pseudo_labels: {alpha: 0.5, gamma: 4}\n")
    labels = load_settings(path, {"pseudo_labels": {"alpha": "0.8"}}).pseudo_labels
    assert (labels.alpha, labels.gamma) == (0.8, 4)


def test_a_wrong_override_is_named_as_one_of_the_command_line(run):
    with pytest.raises(InputError, match=r"with --config: pseudo_labels\.alfa: .*alpha"):
        load_settings(run("seed: 1"), {"pseudo_labels": {"alfa": "0.8"}})


def test_data_root_is_substituted_in_paths(run):
    path = run("saliency: {images: '{data_root}/DUTS'}\n")
    assert load_settings(path, {"data_root": "/data"}).saliency.images == "/data/DUTS"
    given = {"data_root": "/data", "saliency": {"images": "{data_root}/other"}}
    assert load_settings(path, given).saliency.images == "/data/other"
    assert load_settings(path).saliency.images == "{data_root}/DUTS"


def test_labels_of_two_crfs_need_no_saliency():
    by_crf = {"pseudo_labels": {"method": "crf"}, "train": {"labels": {"saliency": False}}}
    settings = Settings.model_validate(by_crf | {"data_root": "."})
    assert not settings.pseudo_labels.uses_saliency and Settings().pseudo_labels.uses_saliency
    check_paths(settings, Path("run.yaml"))  # asks for no saliency.images


CNN = "model: {name: null, weights: null, stem: {name: resnet18}}"
SEEDS = "evaluate: {seeds: [getam]}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: {head: ts_cam}", "evaluate.seeds: cam_ignore needs a linear head"),
        ("model: {head: pooled}", "set model.head to class; or leave it out"),
        ("train: {maps: {method: cam_add}}\nmodel: {head: pooled}", "train.maps.method: cam_add"),
        ("train: {maps: {method: ts_cam}}", "set model.head to ts_cam"),
        ("train: {maps: {method: cnn_cam}}", "train.maps.method: cnn_cam needs a pure CNN"),
        (CNN, "train.maps.method: getam needs a transformer"),
        (f"{CNN}\ntrain: {{supervision: masks}}", "train.maps.method: getam needs a transformer"),
        (f"{CNN}\n{SEEDS}\ntrain: {{maps: {{method: cnn_cam}}}}", "seeds: getam needs a transf"),
        ("model: {name: null, weights: null}", "the CNN of stem is the backbone: set stem"),
        (f"{CNN[:-1]}, taps: [1]}}", "options, taps and head belong to a transformer"),
    ],
)
def test_a_network_is_not_asked_for_maps_that_it_cannot_give(run, text, words):
    with pytest.raises(InputError, match=re.escape(words)):
        load_settings(run(text))


@pytest.mark.parametrize("text", [
    f"model: {{head: ts_cam}}\n{SEEDS}\ntrain: {{maps: {{method: ts_cam}}}}",
    f"model: {{head: pooled}}\n{SEEDS}",
    f"{CNN}\nevaluate: {{seeds: [cnn_cam]}}\ntrain: {{maps: {{method: cnn_cam}}}}",
    f"{CNN}\nevaluate: {{seeds: []}}\ntrain: {{epochs: 1, classification_epochs: 1}}",
])  # fmt: skip
def test_a_stage_takes_its_sections_of_any_run_that_is_allowed(run, text):
    settings = load_settings(run(text))
    Settings.model_validate_json(settings.select("seed", "data", "model", "train"))


def test_blocks_are_stored_of_a_sum_alone():
    with pytest.raises(ValueError, match="set fusion to sum"):
        Settings.model_validate({"getam": {"store_blocks": True, "fusion": "product"}})


def test_a_layout_has_its_own_classes_unless_some_are_given(run):
    def classes(text):
        return load_settings(run(f"data: {text}\n")).data.classes

    assert classes("{}") == VOC_CLASSES and classes("{layout: coco}") == COCO_CLASSES
    assert classes("{layout: folder}") is None and classes("{classes: null}") is None
    assert classes("{layout: folder, classes: [b, a]}") == ("b", "a")


def test_the_home_folder_may_stand_in_a_root(run, monkeypatch):
    monkeypatch.setenv("HOME", "/of/mine")
    assert load_settings(run("data: {root: ~/cats}\n")).data.root == "/of/mine/cats"


def test_one_rate_stands_for_all_parameter_groups(run):
    train = load_settings(run("train: {learning_rate: 0.1}")).train
    assert set(train.learning_rate.model_dump().values()) == {0.1}


def test_what_a_stage_depends_on_changes_with_its_own_sections_alone():
    base = Settings()
    other = Settings.model_validate({"pseudo_labels": {"alpha": 0.8}})
    assert base.select("data", "model", "train") == other.select("data", "model", "train")
    assert base.select("pseudo_labels") != other.select("pseudo_labels")
    assert Settings.model_validate_json(other.select("pseudo_labels")) == other


def test_how_masks_are_read_is_no_part_of_what_other_stages_depend_on():
    one = Settings()
    other = Settings.model_validate({"data": {"masks": "truth", "mask_values": {255: "cat"}}})
    assert one.select("seed", "data", "train") == other.select("seed", "data", "train")
    handed = Settings.model_validate_json(other.select("data", ground_truth=True)).data
    assert (handed.masks, handed.mask_values) == ("truth", {"255": "cat"})


def test_saving_settings_are_passed_separately_and_do_not_identify_a_training():
    settings = Settings.model_validate(
        {"train": {"keep_last": 2, "epochs": 30}, "deeplab": {"checkpoint_minutes": 1}}
    )
    assert set(json.loads(settings.saving("train"))["train"]) == SAVING["train"]
    trained = settings.select("train", "deeplab")
    assert trained == Settings.model_validate({"train": {"epochs": 30}}).select("train", "deeplab")
    given = Namespace(settings=settings.select("train"), saving=settings.saving("train"))
    assert command.settings_of(given).train == settings.train
    whole = Namespace(settings=json.dumps({"train": {"keep_last": 2}}))
    assert "keep_last" not in command.identity(whole)["train"]


def test_a_run_takes_what_it_does_not_say_from_its_base(run):
    base = run("train: {epochs: 12, batch_size: 8}\nmodel: {options: {depth: 3}}")
    derived = base.with_name("other.yaml")
    derived.write_text("base: run\ntrain: {epochs: 14}\nmodel: {options: {num_heads: 2}}")
    settings = load_settings(derived)
    assert (settings.train.epochs, settings.train.batch_size) == (14, 8)
    assert settings.model.options == {"depth": 3, "num_heads": 2}
    derived.write_text("base: run\nmodel: {options: {}}\ntrain: {}")
    settings = load_settings(derived)
    assert (settings.model.options, settings.train) == ({}, Settings().train)
    assert load_settings(base, {"model": {"options": {}}}).model.options == {}
    derived.write_text("base: nothing")
    with pytest.raises(InputError, match=r"nothing\.yaml: no such run"):
        load_settings(derived)
    base.write_text("base: other")
    derived.write_text("base: run")
    with pytest.raises(InputError, match="base: other is based on this run"):
        load_settings(derived)
