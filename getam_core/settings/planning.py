"""What a run consists of, as its settings say: stages, networks, methods, entries, processes.

Pure functions of `Settings`, for the program that plans a run. They name things; the planner knows
where the files of these are (`rules/`, `docs/formats.md`).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from getam_core.errors import InputError
from getam_core.settings.maps import CLASSIFIERS, METHOD_NAMES, Method
from getam_core.settings.methods import lacking, lacking_in_run
from getam_core.settings.runs import at_seed
from getam_core.settings.sections import Settings

THREADS = 8  # of a job, where it can have them
ATTENTION = ("getam", "attention_gradient")  # methods that read the section `getam`


def makes_scenes(settings: Settings) -> bool:
    """Whether the run draws its data set instead of finding it."""
    return settings.data.layout == "scenes"


def found_data(settings: Settings) -> str:
    """Return the folder of a data set that is found: `data.root`, else `data_root`."""
    return str(settings.data.root or settings.data_root)


def classifier_of(settings: Settings, method: str) -> str | None:
    """Return the network that is trained only for a method; None if the run's own serves it."""
    return None if method == settings.own_method else CLASSIFIERS.get(method)


def map_sections(method: str) -> tuple[str, ...]:
    """Return the sections that the export of a method's maps depends on.

    `getam` is among them only for methods that read attention: when it changes, the maps of the
    others stay.
    """
    return ("data", "maps", *(["getam"] if method in ATTENTION else []))


def label_method(settings: Settings, run: str) -> Method:
    """Return the method whose maps the exported labels are made from.

    Raises
    ------
    InputError
        The network is trained on given labels or masks, so the run exports no labels.
    """
    if settings.train.supervision != "classes":
        raise InputError(
            f"{run} has no pseudo labels, since its network is trained on"
            f" {settings.train.supervision} (train.supervision): ask for its miou.json, not for a"
            " report, an overview or a sweep; to retrain DeepLabv2, name label maps in"
            " deeplab.labels"
        )
    return settings.own_method


def check_getam(settings: Settings, run: str) -> None:
    """Raise `InputError` if the run's network cannot give GETAM's maps."""
    if reason := lacking("getam", settings.model):
        raise InputError(f"{run}: getam {reason}")


def segmentation_method(settings: Settings, run: str) -> str:
    """Return the method whose labels the network learns to segment from, or `labels` or `masks`.

    Raises
    ------
    InputError
        The decoder is not trained.
    """
    train = settings.train
    if not train.segments:
        raise InputError(
            f"{run} has no segmentation: its decoder learns nothing"
            f" (train.classification_epochs is train.epochs, {train.epochs})"
        )
    return train.maps.method if train.supervision == "classes" else train.supervision


def possible_methods(settings: Settings) -> tuple[Method, ...]:
    """Return the methods that the run's network serves, or for which the run trains another."""
    return tuple(name for name in METHOD_NAMES if not lacking_in_run(name, settings))


def methods_with_maps(settings: Settings) -> tuple[str, ...]:
    """Return the methods whose maps the run makes, that of the exported labels first."""
    return tuple(dict.fromkeys((settings.own_method, *settings.evaluate.seeds)))


def entries(settings: Settings) -> tuple[str, ...]:
    """Return the entries of `miou.json` in their order: figures of the run's results."""
    seeds = (f"seed_{method}" for method in settings.evaluate.seeds)
    return (
        *((*seeds, "pseudo_labels") if settings.train.supervision == "classes" else ()),
        *(("network_labels",) if settings.evaluate.network_labels else ()),
        *(("segmentation_val",) if settings.train.segments else ()),
        *(retrained_entries(settings) if settings.evaluate.deeplabv2 else ()),
    )


def retrained_entries(settings: Settings) -> tuple[str, ...]:
    """Return the entries of the retrained DeepLabv2, without and with a CRF."""
    return ("deeplabv2_val", *(["deeplabv2_val_crf"] if settings.deeplab_test.crf else []))


def entries_of_retraining(settings: Settings) -> tuple[str, ...]:
    """Return the entries of `deeplabv2/miou.json`.

    If DeepLabv2 learns from the run's own labels, the network that made them comes first.
    """
    deeplab = settings.deeplab
    own = deeplab.supervision == "labels" and deeplab.labels is None and settings.train.segments
    return (*(["segmentation_val"] if own else []), *retrained_entries(settings))


def split_of_figure(figure: str) -> str:
    """Return the split of an entry of `evaluation/`, by its name."""
    return "val" if "_val" in figure else "train"


class Cell(NamedTuple):
    """A figure in a table of runs: `entry` is that of the run's `evaluation/<entry>.json`."""

    row: str
    run: str
    entry: str


def cells_of_table(
    settings: Settings, run: str, table: str, settings_of: Callable[[str], Settings]
) -> list[Cell]:
    """Return the figures of one of the paper's tables, row by row, seed by seed.

    Parameters
    ----------
    settings : Settings
        Those of `run`, whose section `tables` names the rows.
    table : {"table1", "table2", "table3", "table4"}
    settings_of : callable
        Returns the settings of a run by its name.

    Raises
    ------
    InputError
        The settings name no row, or a row that has no such figure.
    """
    rows = getattr(settings.tables, table)
    if not rows:
        raise InputError(
            f"ablation/{table}: {run} names no runs for it; give tables.{table} a name and a run"
            f" for each row, such as {{GETAM: {run}}}"
        )
    cells = []
    for row, base in rows.items():
        own = settings_of(base).seed
        for seed in settings.tables.seeds or (own,):
            name = at_seed(base, own, seed)
            entries = _entries_of_row(settings_of(name), name, table)
            cells += [Cell(row, name, entry) for entry in entries]
    return cells


def _entries_of_row(settings: Settings, run: str, table: str) -> tuple[str, ...]:
    if table == "table3":
        label_method(settings, run)
        return "pseudo_labels", "pseudo_labels_val"
    segmentation_method(settings, run)
    method = settings.train.maps.method
    makes_labels = settings.train.supervision == "classes"
    if table == "table1" and makes_labels and classifier_of(settings, method) is None:
        return "segmentation_val", f"seed_{method}"
    return ("segmentation_val",)


def shard_count(images: int, size: int) -> int:
    """Return how many shards of at most `size` images are needed.

    At least one, whose stage then reports that a split has no images.
    """
    return max(1, math.ceil(images / size))


def gpus(settings: Settings) -> int:
    """Return how many GPUs a stage asks for that computes on at most one.

    `auto` asks for one too: only the machine on which the stage runs can tell whether there is any,
    and on a cluster that is not the machine that plans.
    """
    return int(settings.device != "cpu")


def inference_threads(settings: Settings, cores: int | None) -> int:
    """Return the threads of a job that passes images through a network.

    On a CPU they are half of the cores, since two jobs with one thread each take less time than one
    after the other with two. With a GPU, threads load images, and its jobs take turns.

    Parameters
    ----------
    cores : int or None
        Of this machine, for all jobs; None where each job has a machine of its own.
    """
    if cores is None or gpus(settings):
        return THREADS
    return min(THREADS, max(1, cores // 2))


def training_gpus(settings: Settings) -> int:
    """Return how many GPUs a training asks for; torchrun starts a process for each."""
    return gpus(settings) * settings.gpus


def training_nodes(settings: Settings) -> int:
    """Return how many nodes a training has; one without GPUs."""
    return settings.nodes if gpus(settings) else 1


def launcher(settings: Settings, threads: int) -> str:
    """Return the command before a training's module: Python, torchrun, or torchrun on each node.

    On several nodes the shell, which runs on the first one, gives that node as the rendezvous.
    Without `--` torchrun takes the module's `--log` for an abbreviation of its own options.
    """
    processes, nodes = training_gpus(settings), training_nodes(settings)
    if processes <= 1:
        return "python -m "
    torchrun = f"python -m torch.distributed.run --nproc-per-node {processes // nodes}"
    if nodes == 1:
        return f"{torchrun} --standalone --local-addr 127.0.0.1 -m -- "
    return (
        f"srun --nodes={nodes} --ntasks={nodes} --cpus-per-task={threads} {torchrun}"
        f" --nnodes {nodes} --rdzv-backend c10d --rdzv-id $SLURM_JOB_ID"
        " --rdzv-endpoint $(hostname):$((20000 + SLURM_JOB_ID % 20000)) -m -- "
    )
