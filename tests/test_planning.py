"""What is planned for a run: networks, methods and entries, as its settings say."""

import re
import shlex
from argparse import Namespace

import pytest
from pydantic import ValidationError
from torch.distributed.run import parse_args as torchrun_arguments

from getam_core.errors import InputError
from getam_core.settings import METHOD_NAMES, TABLES, Settings
from getam_core.settings.planning import (
    cells_of_table,
    classifier_of,
    entries,
    entries_of_retraining,
    found_data,
    gpus,
    inference_threads,
    label_method,
    launcher,
    makes_scenes,
    map_sections,
    methods_with_maps,
    possible_methods,
    segmentation_method,
    shard_count,
    training_gpus,
    training_nodes,
)
from workflow_scripts.shards import shard_of

RESNET = {"name": "resnet18"}
CNN = {"model": {"name": None, "weights": None, "stem": RESNET}}
MASKS = {"train": {"supervision": "masks"}}
CLASSIFIES = {"train": {"epochs": 3, "classification_epochs": 3}}
SEEDS = {"evaluate": {"seeds": ["ts_cam", "getam"]}}


def run(*sections):
    return Settings.model_validate({key: value for part in sections for key, value in part.items()})


def test_two_methods_have_a_network_of_their_own():
    own = {method: classifier_of(run(), method) for method in METHOD_NAMES}
    assert {method: name for method, name in own.items() if name} == {
        "ts_cam": "ts_cam",
        "cnn_cam": "cnn",
    }


def test_a_cnn_serves_its_own_cam_and_labels_are_made_of_it():
    assert classifier_of(run(CNN), "cnn_cam") is None
    assert label_method(run(CNN), "x") == "cnn_cam"
    assert label_method(run(), "x") == "getam"


def test_methods_are_compared_that_the_network_serves_or_that_have_one():
    left_out = {
        name: set(METHOD_NAMES) - set(possible_methods(run({"model": model})))
        for name, model in {
            "class": {},
            "afa": {"head": "max_pooled"},
            "mit": {"name": "mit_b1", "head": "max_pooled", "weights": None},
            "stem": {"stem": RESNET, "weights": None},
        }.items()
    }
    assert left_out == {
        "class": {"afa", "cnn_cam"},
        "afa": {"cam_ignore", "cam_add", "cnn_cam"},
        "mit": set(METHOD_NAMES) - {"afa"},
        "stem": {"afa"},
    }
    with_a_cnn = run({"classifiers": {"cnn": RESNET}})
    assert set(METHOD_NAMES) - set(possible_methods(with_a_cnn)) == {"afa"}
    assert set(METHOD_NAMES) - set(possible_methods(run(CNN))) == set(METHOD_NAMES) - {"cnn_cam"}


def test_a_key_of_getam_makes_no_other_method_s_maps_again():
    reads = {method for method in METHOD_NAMES if "getam" in map_sections(method)}
    assert reads == {"getam", "attention_gradient"}
    assert all({"data", "maps"} <= set(map_sections(method)) for method in METHOD_NAMES)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ([SEEDS], ["seed_ts_cam", "seed_getam", "pseudo_labels", "segmentation_val"]),
        ([SEEDS, CLASSIFIES], ["seed_ts_cam", "seed_getam", "pseudo_labels"]),
        ([MASKS], ["segmentation_val"]),
        (
            [MASKS, {"evaluate": {"deeplabv2": True}}],
            ["segmentation_val", "deeplabv2_val", "deeplabv2_val_crf"],
        ),
        (
            [MASKS, {"evaluate": {"deeplabv2": True}, "deeplab_test": {"crf": False}}],
            ["segmentation_val", "deeplabv2_val"],
        ),
    ],
)
def test_a_run_is_scored_on_what_it_makes(sections, expected):
    assert list(entries(run(*sections))) == expected


@pytest.mark.parametrize(
    ("sections", "beside"),
    [
        ([], True),
        ([CLASSIFIES], False),
        ([{"deeplab": {"labels": "others.h5"}}], False),
        ([{"deeplab": {"supervision": "masks"}}], False),
    ],
)
def test_a_retrained_network_stands_beside_the_one_that_made_its_labels(sections, beside):
    own = ["segmentation_val"] if beside else []
    made = entries_of_retraining(run(*sections))
    assert list(made) == [*own, "deeplabv2_val", "deeplabv2_val_crf"]


def test_maps_of_the_labels_come_first_and_no_method_twice():
    assert methods_with_maps(run(SEEDS)) == ("getam", "ts_cam")


def test_segmentation_is_learned_from_a_method_s_maps_or_from_what_is_given():
    labels = {"train": {"supervision": "labels", "label_maps": "x.h5"}}
    assert segmentation_method(run(), "x") == "getam"
    assert segmentation_method(run({"train": {"maps": {"method": "ts_cam"}}}), "x") == "ts_cam"
    assert segmentation_method(run(MASKS), "x") == "masks"
    assert segmentation_method(run(labels), "x") == "labels"


def test_what_a_run_does_not_make_is_refused_by_the_key_that_says_so():
    with pytest.raises(InputError, match=r"x has no pseudo labels.*masks \(train.supervision\)"):
        label_method(run(MASKS), "x")
    with pytest.raises(InputError, match=r"x has no segmentation.*classification_epochs"):
        segmentation_method(run(CLASSIFIES), "x")


def test_a_data_set_is_made_or_found_in_its_own_root_first():
    assert makes_scenes(run({"data": {"layout": "scenes"}}))
    assert not makes_scenes(run())
    assert found_data(run({"data_root": "all"})) == "all"
    assert found_data(run({"data_root": "all", "data": {"root": "all/voc"}})) == "all/voc"


@pytest.mark.parametrize(("images", "shards"), [(0, 1), (1, 1), (5, 1), (6, 2), (11, 3)])
def test_every_image_is_in_a_shard_and_a_split_has_one_at_least(images, shards):
    assert shard_count(images, 5) == shards


def test_shards_hold_every_image_once_and_in_order():
    images = list("abcde")
    shards = [shard_of(images, Namespace(shard=n, shard_size=2)) for n in range(3)]
    assert shards == [["a", "b"], ["c", "d"], ["e"]]
    with pytest.raises(InputError, match="shard 3: the split has 5 images"):
        shard_of(images, Namespace(shard=3, shard_size=2))


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_gpus_are_asked_for_whatever_the_machine_that_plans_has(device, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no nvidia-smi
    assert (gpus(run({"device": device})), training_gpus(run({"device": device}))) == (1, 1)
    assert training_gpus(run({"device": device, "gpus": 4})) == 4


def test_on_a_cpu_no_gpu_is_asked_for_and_the_stage_itself_starts_its_processes():
    on_cpu = run({"device": "cpu", "gpus": 4, "nodes": 2})
    assert (gpus(on_cpu), training_gpus(on_cpu), training_nodes(on_cpu)) == (0, 0, 1)
    assert launcher(on_cpu, threads=8) == "python -m "


def test_torchrun_starts_the_processes_of_several_gpus_on_each_node():
    assert launcher(run(), threads=8) == "python -m "
    one = launcher(run({"gpus": 4}), threads=8)
    assert (
        "torch.distributed.run --nproc-per-node 4 --standalone --local-addr 127.0.0.1 -m -- " in one
    )
    two = launcher(run({"gpus": 4, "nodes": 2}), threads=8)
    assert two.startswith("srun --nodes=2 --ntasks=2 --cpus-per-task=8 python -m torch.distributed")
    assert "--nproc-per-node 2 --nnodes 2 " in two


@pytest.mark.parametrize(
    ("device", "cores", "threads"),
    [("cpu", 1, 1), ("cpu", 2, 1), ("cpu", 8, 4), ("cpu", 64, 8), ("cpu", None, 8), ("auto", 2, 8)],
)
def test_on_a_cpu_two_jobs_of_inference_share_the_cores(device, cores, threads):
    assert inference_threads(run({"device": device}), cores) == threads


@pytest.mark.parametrize("nodes", [1, 2])
def test_torchrun_leaves_the_options_of_a_stage_to_the_stage(nodes):
    started = launcher(run({"gpus": 2, "nodes": nodes}), threads=8)
    started = re.sub(r"\$\(hostname\):.*\)\)", "n1:20001", started)  # as the shell expands it
    words = shlex.split(started.partition("torch.distributed.run ")[2])
    own = ["--index", "i.csv", "--state", "s.pt", "--threads", "8", "--out", "o", "--log", "x.log"]
    parsed = torchrun_arguments([*words, "workflow_scripts.train", *own])
    assert (parsed.module, parsed.training_script) == (True, "workflow_scripts.train")
    assert parsed.training_script_args == own


def test_gpus_are_the_same_number_on_each_node():
    with pytest.raises(ValidationError, match=r"gpus \(3\) cannot be divided among nodes \(2\)"):
        run({"gpus": 3, "nodes": 2})


def test_the_labels_of_the_network_are_an_entry_where_they_are_asked_for():
    assert entries(run({"evaluate": {"seeds": [], "network_labels": True}})) == (
        "pseudo_labels",
        "network_labels",
        "segmentation_val",
    )


def tables(**sections):
    return run({"tables": {key: {"GETAM": "a", "other": "b"} for key in TABLES} | sections})


def cells(table, settings, **runs):
    return cells_of_table(settings, "a", table, lambda name: runs.get(name, settings))


def test_a_table_has_the_rows_that_its_settings_name_each_at_every_seed():
    seeded = tables(seeds=[0, 2])
    other = run({"seed": 2})
    assert cells("table4", seeded, b=other) == [
        ("GETAM", "a", "segmentation_val"),
        ("GETAM", "a-seed2", "segmentation_val"),
        ("other", "b-seed0", "segmentation_val"),
        ("other", "b", "segmentation_val"),
    ]
    assert [cell.entry for cell in cells("table3", tables())[:2]] == [
        "pseudo_labels",
        "pseudo_labels_val",
    ]


def test_a_row_has_seeds_only_where_the_run_s_own_network_makes_the_maps():
    ts_cam = run({"model": {"head": "ts_cam"}, "train": {"maps": {"method": "ts_cam"}}})
    found = cells("table1", tables(), b=ts_cam)
    assert [cell[1:] for cell in found] == [
        ("a", "segmentation_val"),
        ("a", "seed_getam"),
        ("b", "segmentation_val"),
    ]


def test_a_table_without_rows_and_a_row_without_the_figure_are_refused():
    with pytest.raises(InputError, match=r"tables\.table2 a name and a run .* \{GETAM: a\}"):
        cells("table2", run())
    with pytest.raises(InputError, match="b has no segmentation"):
        cells("table2", tables(), b=run(CLASSIFIES))
    with pytest.raises(InputError, match="b has no pseudo labels"):
        cells("table3", tables(), b=run(MASKS))
