"""Every setting reaches the code that uses it: each is changed, and the stage must pass that on.

A key that is lost between the YAML and the library would silently have no effect.
"""

import pytest

from getam_core.settings import TABLES, Settings
from tests.settings_keys import changed, leaves, merged
from tests.wiring_kit import stages

KEYS = leaves(Settings)

# The other settings a key needs to have an effect, by the beginning of its name.
BASE = {
    "data_root": "data",
    "saliency": {"images": "pairs"},
    "classifiers": {"cnn": {"name": "resnet50"}},
    "train": {
        name: dict.fromkeys(("stem", "backbone", "heads"), 0.1)
        for name in ("learning_rate", "second_half_scale")
    },
}
OWN_FOLDER = {"data": {"layout": "folder"}}
AFA = {"afa": {"classification_iterations": 4, "propagation_iterations": 8}}
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
CONTEXTS = {
    "model.stem.mean": {"model": {"stem": HALF}},
    "model.stem.std": {"model": {"stem": HALF}},
    "classifiers.cnn.mean": {"classifiers": {"cnn": HALF}},
    "classifiers.cnn.std": {"classifiers": {"cnn": HALF}},
    "saliency.encoder.mean": {"saliency": {"encoder": HALF}},
    "saliency.encoder.std": {"saliency": {"encoder": HALF}},
    "data.val_share": OWN_FOLDER,
    "data.images": OWN_FOLDER,
    "data.table": OWN_FOLDER,
    "data.columns": OWN_FOLDER,
    "data.masks": OWN_FOLDER,
    "model.stem": {"model": {"weights": None, "stem": {"name": "resnet18"}}},
    "saliency.folder": {"saliency": {"source": "precomputed", "folder": "maps"}},
    "saliency.rembg_model": {"saliency": {"source": "rembg"}},
    "train.method": {"train": AFA},
    "train.afa": {"train": {"method": "afa", **AFA}},
    "train.afa.scales": {"train": {"maps": {"method": "afa"}}},
    "train.afa.flip": {"train": {"maps": {"method": "afa"}}},
    "train.label_maps": {"train": {"supervision": "labels", "label_maps": "labels.h5"}},
    "pseudo_labels.agreed_saliency": {"pseudo_labels": {"agreed_saliency": {"gamma": 4}}},
    "tables": {"tables": {key: {"GETAM": "r"} for key in TABLES}},
    "nodes": {"gpus": 2},
    "deeplab.width": {"deeplab": {"weights": None, "batch_norm": "trained"}},
}

# Where a key arrives, by the beginning of its name, the longest first: for every stage the
# arguments of the library that change, `function.argument`; {} is the last part of the key's name.
LABELLING = "Getam.labelling TrainingPicture.labelling"
THRESHOLD = "Getam.saliency_threshold TrainingPicture.saliency_threshold"
BUILT = "build_network.{} save_network.built_by"
SCORED = {"merge_entries": "merge_entries.entries"}
RETRAINED = {"merge_deeplab_entries": "merge_entries.entries"}
ENCODING = ("train_saliency", "make_saliency")
ON_A_GPU = (*ENCODING, "export_maps", "predict", "predict_deeplab")
SHARDED = (
    "export_maps",
    "pseudo_labels",
    "network_labels",
    "predict",
    "predict_deeplab",
    "count_pixels",
)
TRAININGS = ("train", "train_classifier", "retrain_deeplab")
ARRIVES = {
    "data_root": {"prepare_data": "list_voc.root", "check_masks": "find_masks.root"},
    "title": {"merge_entries": "merge_entries.dataset"},
    "device": dict.fromkeys(TRAININGS + ON_A_GPU, "command gpu torch_device.arguments"),
    "gpus": dict.fromkeys(TRAININGS, "command gpu"),
    "nodes": dict.fromkeys(TRAININGS, "command gpu"),
    "seed": {
        "train": "manual_seed.seed TrainingSet.seed Trainer.plan",
        "train_saliency": "manual_seed.seed train_saliency.plan",
        "retrain_deeplab": "manual_seed.seed train_deeplab.plan",
    },
    "shard_size": dict.fromkeys(SHARDED, "command"),
    "data.train": {"prepare_data": "list_voc.splits"},
    "data.val": {"prepare_data": "list_voc.splits"},
    "data.layout": {"prepare_data": "list_coco.root", "check_masks": "coco_masks.root"},
    "data.root": {"prepare_data": "list_voc.root", "check_masks": "find_masks.root"},
    "data.classes": {
        "prepare_data": "list_voc.classes",
        "check_masks": "check_masks.num_classes",
        "make_saliency": "write_in_parts.classes",
        "train": "build_network.num_classes TrainingSet.classes Trainer.validate"
        " save_network.classes",
        "export_maps": "export_maps.classes write_in_parts.classes",
        "retrain_deeplab": "build_deeplab.built_by train_deeplab.classes save_deeplab.classes",
        "masks_as_labels": "StoreWriter.classes import_png.classes",
        "merge_entries": "merge_entries.classes",
    },
    "data.val_share": {"prepare_data": "list_folder.val_share"},
    "data.images": {"prepare_data": "list_folder.places"},
    "data.table": {"prepare_data": "list_folder.places"},
    "data.columns": {"prepare_data": "list_folder.places"},
    "data.negative": {"prepare_data": "list_voc.vocabulary"},
    "data.other_classes": {"prepare_data": "list_voc.vocabulary"},
    "data.masks": {"check_masks": "folder_masks.masks"},
    "data.mask_values": {"check_masks": "parse_values.given"},
    "data.labels": {"prepare_data": "list_voc.labels_of"},
    "data.sbd": {"prepare_data": "list_voc.sbd", "check_masks": "find_masks.sbd"},
    "data.scenes": {"make_scenes": "write_scenes.{}"},
    "data.scenes.salient": {"make_salient_scenes": "write_salient_scenes.count"},
    "data.scenes.size": {
        "make_scenes": "write_scenes.size",
        "make_salient_scenes": "write_salient_scenes.size",
    },
    "data.scenes.seed": {
        "make_scenes": "write_scenes.seed",
        "make_salient_scenes": "write_salient_scenes.seed",
    },
    "model": {"train": BUILT, "train_classifier:ts_cam": BUILT},
    "model.head": {"train": BUILT},
    "model.stem": {"train": "build_network.stem save_network.built_by"},
    "classifiers.cnn": {"train_classifier": "build_classifier.stem save_network.built_by"},
    "saliency": {"train_saliency": "train_saliency.plan"},
    "saliency.source": {"make_saliency": "precomputed_saliency.listed"},
    "saliency.folder": {"make_saliency": "precomputed_saliency.folder"},
    "saliency.rembg_model": {"make_saliency": "rembg_saliency.model"},
    "saliency.images": {"train_saliency": "find_pairs.folder"},
    "saliency.network": {"make_saliency": "command"},
    "saliency.precision": {"train_saliency": "train_saliency.precision"},
    "saliency.checkpoint_minutes": {"train_saliency": "train_saliency.checkpoint_minutes"},
    "saliency.width": dict.fromkeys(ENCODING, "SaliencyNetwork.width"),
    "saliency.size": {
        "train_saliency": "train_saliency.plan",
        "make_saliency": "network_saliency.size",
    },
    "saliency.encoder": dict.fromkeys(ENCODING, "build_encoder.{}"),
    "saliency.encoder.dilated": dict.fromkeys(ENCODING, "build_encoder.options"),
    "saliency.encoder.bgr": dict.fromkeys(ENCODING, "build_encoder.options"),
    "saliency.encoder.pad": dict.fromkeys(ENCODING, "build_encoder.options"),
    "saliency.encoder.feature_scale": dict.fromkeys(ENCODING, "build_encoder.options"),
    "saliency.encoder.weights": {"train_saliency": "build_encoder.weights"},
    "train": {"train": "Trainer.plan", "train_classifier": "Trainer.plan"},
    "train.method": {"train": "Trainer.objective"},
    "train.afa": {"train": "Afa.recipe"},
    "train.afa.scales": {"train": "Afa.recipe TrainingPicture.labelling"},
    "train.afa.flip": {"train": "Afa.recipe TrainingPicture.labelling"},
    "train.afa.losses": {"train": "Afa.weights"},
    "train.afa.classification_iterations": {"train": "Afa.classification_steps"},
    "train.afa.propagation_iterations": {"train": "Afa.propagation_steps"},
    "train.supervision": {
        "train": "command TrainingSet.labels save_network.supervision " + THRESHOLD
    },
    "train.label_maps": {"train": "TrainingSet.labels check_supervision.path"},
    "train.classification_epochs": {"train": "Trainer.plan Getam.classification_epochs"},
    "train.crop_size": {"train": "TrainingSet.size TrainingSet.scale_range Trainer.validate"},
    "train.scale_range": {"train": "TrainingSet.scale_range"},
    "train.compile": {"train": "compile_parts.network"},
    "train.deterministic": {"train": "make_deterministic.wanted"},
    "train.losses": {"train": "Getam.weights"},
    "train.dense_energy": {"train": "Getam.energy"},
    "train.maps": {"train": LABELLING},
    "train.labels": {"train": LABELLING},
    "train.labels.saliency": {"train": "TrainingSet.saliency " + THRESHOLD},
    "train.labels.saliency_threshold": {"train": THRESHOLD},
    "train.keep_last": {"train": "States.{}", "train_classifier": "States.{}"},
    "train.keep_best": {"train": "States.{}", "train_classifier": "States.{}"},
    "train.resume_from": {"train": "States.{}"},
    "maps": {"export_maps": "export_maps.{}", "compare_getam:fusion": "evaluate_maps.exporting"},
    "getam": {"export_maps": "export_maps.method"},
    "getam.coupling": {
        "export_maps": "export_maps.method",
        "compare_getam:fusion": "evaluate_maps.variants",
    },
    "pseudo_labels": {
        "pseudo_labels": "export_labels.labelling",
        "ablation:gamma": "evaluate_variants.variants",
    },
    "pseudo_labels.method": {"pseudo_labels": "export_labels.labelling export_labels.saliency"},
    "pseudo_labels.gamma": {
        "pseudo_labels": "export_labels.labelling",
        "ablation:alpha": "evaluate_variants.variants",
    },
    "pseudo_labels.saliency": {
        "pseudo_labels": "command export_labels.saliency",
        "ablation:gamma": "evaluate_variants.saliency",
    },
    "pseudo_labels.saliency_threshold": {
        "pseudo_labels": "export_labels.saliency_threshold",
        "ablation:gamma": "evaluate_variants.variants",
    },
    "predict": {"predict": "SingleStage.{}", "network_labels": "SingleStage.{}"},
    "predict.crf_recipe": {"predict": "predict_split.recipe"},
    "predict.crf": {
        "predict": "predict_split.plain predict_split.smoothed",
        "network_labels": "label_split.recipe",
    },
    "submission.list": {"list_test": "list_voc.splits"},
    "submission.root": {"list_test": "list_voc.root"},
    "deeplab": {"retrain_deeplab": "train_deeplab.plan"},
    "deeplab.supervision": {
        "retrain_deeplab": "train_deeplab.labels check_supervision.asked",
        **RETRAINED,
    },
    "deeplab.labels": {"retrain_deeplab": "train_deeplab.labels", **RETRAINED},
    "deeplab.depth": {"retrain_deeplab": "build_deeplab.built_by load_initial_weights.depth"},
    "deeplab.width": {"retrain_deeplab": "build_deeplab.built_by"},
    "deeplab.batch_norm": {"retrain_deeplab": "build_deeplab.built_by"},
    "deeplab.dilations": {"retrain_deeplab": "build_deeplab.built_by"},
    "deeplab.crop_size": {"retrain_deeplab": "build_deeplab.built_by train_deeplab.plan"},
    "deeplab.weights": {"retrain_deeplab": "load_initial_weights.weights"},
    "deeplab.weights_trained_on": {"retrain_deeplab": "load_initial_weights.trained_on"},
    "deeplab_test": {"predict_deeplab": "DeepLab.{}"},
    "deeplab_test.crf": {"predict_deeplab": "predict_split.smoothed", **RETRAINED},
    "evaluate": SCORED,
    "ablation.alpha": {"ablation:alpha": "evaluate_variants.variants"},
    "ablation.gamma": {"ablation:gamma": "evaluate_variants.variants"},
    **{f"tables.{table}": {f"compare_runs:{table}": "command"} for table in TABLES},
    "tables.seeds": {"compare_runs:table1": "command"},
    "ablation.images": {
        "ablation:alpha": "evaluate_variants.entries",
        "compare_getam:blocks": "evaluate_maps.entries",
    },
}
VARIANTS = {  # the wildcard after the colon
    "train_classifier": "classifier",
    "ablation": "sweep",
    "compare_getam": "study",
    "compare_runs": "table",
}


def beginnings(key, table):
    """Return the beginnings of a key's name that are in a table, the longest last."""
    parts = key.split(".")
    names = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
    return [name for name in names if name in table]


@pytest.fixture(scope="module")
def loaded(repository):
    with stages(repository) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def called(loaded):
    known = {}  # most keys are changed from the same settings

    def called(stage, settings):
        key = stage, settings.model_dump_json()
        if key not in known:
            rule, _, variant = stage.partition(":")
            wildcards = {VARIANTS[rule]: variant} if variant else {}
            known[key] = loaded.called(rule, settings, **wildcards)
        return known[key]

    return called


@pytest.mark.parametrize("key", KEYS)
def test_a_key_arrives_at_the_library(key, called):
    assert beginnings(key, ARRIVES), f"{key}: say in ARRIVES where it arrives"
    before, after = changed(
        merged(BASE, *(CONTEXTS[name] for name in beginnings(key, CONTEXTS))), key
    )
    for stage, arguments in ARRIVES[beginnings(key, ARRIVES)[-1]].items():
        one, other = called(stage, before), called(stage, after)
        differ = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
        expected = set(arguments.format(*[key.rpartition(".")[-1]] * 9).split())
        assert expected <= differ, f"{key} is lost on the way to {stage}; it changes {differ}"


def test_a_checkpoint_tells_whether_its_network_was_trained_to_segment(called):
    halves = {"epochs": 2, "classification_epochs": 1}
    both = Settings.model_validate(merged(BASE, {"train": halves}))
    first = Settings.model_validate(merged(BASE, {"train": halves | {"epochs": 1}}))
    segments = "save_network.segments"
    assert called("train", both)[segments] == [True]
    assert called("train", first)[segments] == [False]
    assert called("train_classifier:ts_cam", both)[segments] == [False]


@pytest.mark.parametrize("labels", ["annotations", "masks"])
def test_the_meaning_of_masks_reruns_what_opens_them_and_no_training(labels, loaded):
    def reruns(rule, **wildcards):
        data = {"labels": labels}, {"labels": labels, "mask_values": {255: "cat"}}
        runs = (Settings.model_validate({"data_root": "data", "data": each}) for each in data)
        one, other = (list(loaded.expanded(rule, run, **wildcards)["params"]) for run in runs)
        return one != other

    assert reruns("prepare_data") == (labels == "masks")
    assert not any(map(reruns, ("train", "make_saliency", "predict", "retrain_deeplab")))
    opening = (
        "check_masks",
        "masks_as_labels",
        "count_pixels",
        "evaluate_pseudo_labels",
        "evaluate_deeplab",
    )
    assert all(map(reruns, (*opening, "evaluate_seed", "evaluate_segmentation", "report")))
    assert reruns("ablation", sweep="alpha")


def test_the_tables_name_no_key_that_is_gone():
    used = {name for key in KEYS for name in beginnings(key, ARRIVES)[-1:]}
    assert set(ARRIVES) - used == set()
    assert set(CONTEXTS) - {name for key in KEYS for name in beginnings(key, CONTEXTS)} == set()


def test_a_stage_that_a_key_is_not_for_is_called_with_the_same(called):
    before, after = changed(BASE, "predict.flip")
    assert called("predict_deeplab", before) == called("predict_deeplab", after)


@pytest.mark.parametrize(
    ("making", "merging"),
    [
        ("export_maps", "merge_maps"),
        ("make_saliency", "merge_saliency"),
        ("pseudo_labels", "merge_labels"),
        ("predict", "merge_predictions"),
        ("predict_deeplab", "merge_deeplab"),
    ],
)
def test_shards_which_are_gone_once_merged_are_made_again_by_the_merging(making, merging, loaded):
    params = (loaded.expanded(rule, Settings(), shard="0")["params"] for rule in (making, merging))
    assert len({each["settings"] for each in params}) == 1


@pytest.mark.parametrize(
    ("method", "network"),
    [("getam", "train"), ("ts_cam", "classifiers/ts_cam"), ("cnn_cam", "classifiers/cnn")],
)
def test_maps_are_of_the_network_that_serves_the_method(method, network, loaded):
    files = loaded.expanded("export_maps", Settings(), method=method)["input"]
    assert list(files) == ["results/r/index.csv", f"results/r/{network}/checkpoint.pt"]
