# What the rules ask of a run's settings: parameters, inputs that depend on them, GPUs.

import csv
import math
import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The library is found, and run by the same Python, whether or not an environment is active.
sys.path.insert(0, str(workflow.basedir))
for variable, first in (("PYTHONPATH", workflow.basedir), ("PATH", Path(sys.executable).parent)):
    others = filter(None, [os.environ.get(variable)])
    os.environ[variable] = os.pathsep.join([str(first), *others])

from getam_core.downloads.archives import ARCHIVES, DATA_SETS
from getam_core.errors import InputError
from getam_core.settings import (
    CLASSIFIERS,
    METHOD_NAMES,
    SWEEPS,
    Settings,
    check_paths,
    load_settings,
)
from workflow_scripts.causes import causes

# Images a shard. No setting: other shards would make saliency anew, and training after it.
SALIENCY_SHARD = 2000


@cache
def run_settings(run: str) -> Settings:
    """The settings of `config/<run>.yaml` with the `--config` of the command line over them."""
    path = Path("config", f"{run}.yaml")
    try:
        settings = load_settings(path, config)
        check_paths(settings, path)
    except InputError as error:
        raise WorkflowError(str(error)) from None
    return settings


def stage_settings(*sections: str):
    """Params of a rule: these sections as JSON; a change in them, and nothing else, reruns it."""

    def select(wildcards):
        return run_settings(wildcards.run).select(*sections)

    return select


def saving_settings(section: str):
    """A resource: when a training saves its state, as JSON; no reason to train again."""

    def select(wildcards):
        return run_settings(wildcards.run).saving(section)

    return select


def archives_of(wildcards):
    """The archives of a public data set."""
    names = [archive.name for archive in DATA_SETS[wildcards.dataset]]
    return expand(rules.fetch_archive.output.archive, archive=names)


def device(wildcards) -> str:
    """What the run's stages compute on; no reason to run one again."""
    return run_settings(wildcards.run).device


def gpus(wildcards) -> int:
    """1 for a stage that computes on a GPU; `auto` looks for one where Snakemake runs."""
    asked = device(wildcards)
    return int(asked == "cuda" or (asked == "auto" and shutil.which("nvidia-smi") is not None))


def training_gpus(wildcards) -> int:
    """As many GPUs as the run has, if it computes on any."""
    return gpus(wildcards) * run_settings(wildcards.run).gpus


def training_launcher(wildcards) -> str:
    """Several GPUs need a process each, which torchrun starts."""
    processes = training_gpus(wildcards)
    start = f"torch.distributed.run --standalone --nproc-per-node {processes} -m "
    return start if processes > 1 else ""


def scene_lists(wildcards):
    """A made data set is an input, a found one is a parameter."""
    made = run_settings(wildcards.run).data.layout == "scenes"
    return rules.make_scenes.output if made else []


def data_folder(wildcards) -> str:
    """Folder of the images, made or found."""
    settings = run_settings(wildcards.run)
    made = settings.data.layout == "scenes"
    found = str(settings.data.root or settings.data_root)
    return f"results/{wildcards.run}/scenes" if made else found


def saliency_training_images(wildcards):
    """The folder of images and masks that the network learns from: found, or made scenes."""
    settings = run_settings(wildcards.run)
    folder = settings.saliency.images
    return ancient(folder) if folder else rules.make_salient_scenes.output.folder


def saliency_network(wildcards):
    """The trained network, unless maps are given."""
    trained = run_settings(wildcards.run).saliency.source == "network"
    return rules.train_saliency.output.network if trained else []


def training_saliency(wildcards):
    """Saliency, if the labels of training use it."""
    used = run_settings(wildcards.run).train.uses_saliency
    return rules.merge_saliency.output.saliency if used else []


def given_labels(wildcards):
    """Label maps that training does not make: somebody's, another run's, or the masks."""
    train = run_settings(wildcards.run).train
    masks = train.supervision == "masks"
    return rules.masks_as_labels.output.labels if masks else train.label_maps or []


def network_of_method(wildcards) -> str:
    """The run's own network, or the one that was trained for the method."""
    own = run_settings(wildcards.run).own_method
    if wildcards.method == own or wildcards.method not in CLASSIFIERS:
        return "results/{run}/train/checkpoint.pt"
    return f"results/{{run}}/classifiers/{CLASSIFIERS[wildcards.method]}/checkpoint.pt"


def seeds_of_all_methods(wildcards):
    """Scores of the maps of every method, in the order of `METHOD_NAMES`."""
    return expand(rules.evaluate_seed.output.entry, method=METHOD_NAMES, allow_missing=True)


def metrics_of_all_networks(wildcards):
    """How each method's network was trained, in the same order."""
    return [
        (
            rules.train_classifier.output.metrics.replace("{classifier}", CLASSIFIERS[method])
            if method in CLASSIFIERS
            else rules.train.output.metrics
        )
        for method in METHOD_NAMES
    ]


def map_settings(wildcards) -> str:
    """Blocks and coupling are of attention: the other methods' maps stay when they change."""
    own = ["getam"] if wildcards.method in ("getam", "attention_gradient") else []
    return run_settings(wildcards.run).select("data", "maps", *own)


def shard_size(wildcards) -> int:
    """Images a shard."""
    return run_settings(wildcards.run).shard_size


def split_of_maps(wildcards) -> str:
    """maps.h5 is of the training images, maps_val.h5 of those of val."""
    return wildcards.of.removeprefix("_") or "train"


def shards_of(wildcards, split: str, size: int) -> range:
    """Numbers of the shards of `size` images that the listed ones of a split fill."""
    index = checkpoints.prepare_data.get(run=wildcards.run).output.index
    with open(index, newline="", encoding="utf-8") as file:
        images = sum(row["split"] == split for row in csv.DictReader(file))
    return range(math.ceil(images / size))


def map_shards(wildcards):
    """Maps of a split, by shards."""
    shards = shards_of(wildcards, split_of_maps(wildcards), shard_size(wildcards))
    return expand(rules.export_maps.output.shard, shard=shards, allow_missing=True)


def saliency_shards(wildcards):
    """Saliency of the training images, by shards."""
    shards = shards_of(wildcards, "train", SALIENCY_SHARD)
    return expand(rules.make_saliency.output.shard, shard=shards, allow_missing=True)


def label_maps(wildcards) -> str:
    """The maps that the exported labels are made of: GETAM's; a CNN's own."""
    settings = run_settings(wildcards.run)
    if settings.train.supervision != "classes":
        raise WorkflowError(
            f"{wildcards.run} has no pseudo labels, since its network is trained on"
            f" {settings.train.supervision} (train.supervision): ask for its miou.json, not for a"
            " report, an overview or a sweep; to retrain DeepLabv2, name label maps in deeplab.labels"
        )
    return f"results/{{run}}/{settings.own_method}/maps.h5"


def segmentation_method(wildcards) -> str:
    """Whose labels the network learned to segment from."""
    train = run_settings(wildcards.run).train
    if not train.segments:
        raise WorkflowError(
            f"{wildcards.run} has no segmentation: its decoder learns nothing"
            f" (train.classification_epochs is train.epochs, {train.epochs})"
        )
    return train.maps.method if train.supervision == "classes" else train.supervision


def label_saliency(wildcards):
    """Saliency, if the exported labels use it."""
    used = run_settings(wildcards.run).pseudo_labels.uses_saliency
    return rules.merge_saliency.output.saliency if used else []


def swept_saliency(wildcards):
    """Saliency, if the settings want it in labels: a sweep may be over the methods of making them."""
    used = run_settings(wildcards.run).pseudo_labels.saliency
    return rules.merge_saliency.output.saliency if used else []


def test_folder(wildcards) -> str:
    """The devkit with the test images: the data set's own, unless they are elsewhere."""
    return run_settings(wildcards.run).submission.root or data_folder(wildcards)


def index_of_split(wildcards) -> str:
    """Where the images of a split are listed."""
    own = "submission/" if wildcards.split == "test" else ""
    return f"results/{wildcards.run}/{own}index.csv"


def entries_of_run(wildcards):
    """What miou.json holds: figures of what the run makes, none of a decoder without training."""
    settings = run_settings(wildcards.run)
    folder = f"results/{wildcards.run}/evaluation"
    labels = [
        *(f"{folder}/seed_{method}.json" for method in settings.evaluate.seeds),
        f"{folder}/pseudo_labels.json",
    ]
    return [
        *(labels if settings.train.supervision == "classes" else []),
        *([f"{folder}/segmentation_val.json"] if settings.train.segments else []),
        *(retrained_entries(wildcards) if settings.evaluate.deeplabv2 else []),
    ]


def retraining_labels(wildcards):
    """Label maps to retrain on: the run's own, somebody else's, or its masks."""
    deeplab = run_settings(wildcards.run).deeplab
    if deeplab.supervision == "masks":
        return rules.masks_as_labels.output.labels
    return deeplab.labels or rules.pseudo_labels.output.labels


def entries_of_retraining(wildcards):
    """What deeplabv2/miou.json holds; beside the run's own labels the network that made them."""
    settings = run_settings(wildcards.run)
    folder = f"results/{wildcards.run}/evaluation"
    own = settings.deeplab.supervision == "labels" and settings.deeplab.labels is None
    own = own and settings.train.segments
    return [
        *([f"{folder}/segmentation_val.json"] if own else []),
        *retrained_entries(wildcards),
    ]


def retrained_entries(wildcards):
    """Figures of the retrained network."""
    ends = ("", "_crf") if run_settings(wildcards.run).deeplab_test.crf else ("",)
    return [f"results/{wildcards.run}/evaluation/deeplabv2_val{end}.json" for end in ends]


def shown_predictions(wildcards):
    """Predictions on val, unless the decoder learns nothing."""
    segments = run_settings(wildcards.run).train.segments
    return f"results/{wildcards.run}/predictions/val.h5" if segments else []


def maps_of_run(wildcards):
    """Maps of every method that is scored, first those that labels are made of."""
    settings = run_settings(wildcards.run)
    methods = dict.fromkeys((settings.own_method, *settings.evaluate.seeds))
    return [f"results/{wildcards.run}/{method}/maps.h5" for method in methods]
