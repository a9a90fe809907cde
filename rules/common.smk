# Functions that rules of several stages use to read a run's settings: params, whose change reruns a
# stage, and resources, whose change does not. Functions of one stage are in inputs/<stage>.smk.

import sys
from pathlib import Path

sys.path.insert(0, str(workflow.basedir))  # Snakemake may have been called from any folder

from getam_core.settings import check_saliency, limits, planning
from workflow_scripts.forced import is_forced
from workflow_scripts.runs import (
    images_of,
    make_library_importable,
    settings_reader,
    without_traceback,
)

make_library_importable(workflow.basedir)
run_settings = settings_reader(config)

# A command that merges shards. A single shard is linked, since starting Python takes longer. Several
# are given as the first one and their number: thousands of paths are too long for a command.
MERGE = (
    "if [ {params.shards} -eq 1 ]; then"
    " ln {input.shards[0]} {output} 2> {log} || cp -R {input.shards[0]} {output}; else"
    " python -m workflow_scripts.merge_shards --split {params.split} --index {input.index}"
    " --first {input.shards[0]} --shards {params.shards} --out {output} --log {log}; fi"
)


def number_of_shards(wildcards, input) -> int:
    """Params: how many shards there are to merge."""
    return len(input.shards)


def stage_settings(*sections, ground_truth=False):
    """Params: these sections as JSON; only a change in them reruns the stage.

    With `ground_truth`, so does a change in how masks are found and read.
    """

    def select(wildcards):
        return run_settings(wildcards.run).select(*sections, ground_truth=ground_truth)

    return select


def saving_settings(section):
    """A resource: when a training saves its state, as JSON."""

    def select(wildcards):
        return run_settings(wildcards.run).saving(section)

    return select


def option_of(name):
    """Params: `--name FILE` where the rule has an input of this name, which may be left out."""

    def option(wildcards, input):
        return f"--{name} {input[name]}" if input[name] else ""

    return option


def counts_of(figure):
    """Counts of a figure by shard; none if its split has only one shard."""

    def select(wildcards):
        name = figure.format(**dict(wildcards))
        shards = shards_of(wildcards, planning.split_of_figure(name), shard_size(wildcards))
        counts = rules.count_pixels.output.counts
        found = expand(counts, figure=name, shard=shards, allow_missing=True)
        return found if len(shards) > 1 else []

    return select


def option_of_counts(wildcards, input) -> str:
    """Params: where the counts of a figure are, if it is counted by shard."""
    return f"--counts {input.counts[0]} --shards {len(input.counts)}" if input.counts else ""


def anew(rule: str):
    """A resource: whether the command line forces a training, which then ignores a finished one."""

    def select(wildcards):
        outputs = workflow.get_rule(rule).expand_output(wildcards)[0]
        return "--anew " if is_forced(workflow, rule, outputs) else ""

    return select


def split_of(wildcards) -> str:
    """The split of a file whose name has `{of}`: train for maps.h5, val for maps_val.h5."""
    return wildcards.get("of", "").removeprefix("_") or "train"


def mem_mb(wildcards, threads, attempt, rulename) -> int:
    """A resource: how much memory a job may use."""
    listed = sum(_images(wildcards, split) for split in ("train", "val"))
    return limits.megabytes(rulename, images=listed, threads=threads, attempt=attempt)


def runtime(shard=None):
    """A resource: minutes that a job may take for its split's images, or for a shard of them.

    `shard` is a number of images, or a function of the wildcards that returns it.
    """

    def limit(wildcards, threads, attempt, rulename) -> int:
        settings = run_settings(wildcards.run)
        images = _images(wildcards, wildcards.get("split") or split_of(wildcards))
        most = shard(wildcards) if callable(shard) else shard or images
        given = {"images": min(images, most), "threads": threads, "attempt": attempt}
        return limits.minutes(rulename, settings, **given)

    return limit


def _images(wildcards, split: str) -> int:
    """Number of images of a split; a guess before they are listed."""
    own = ["submission"] if split == "test" else []
    index = Path("results", wildcards.run, *own, "index.csv")
    return images_of(str(index), split) if index.exists() else limits.UNKNOWN_IMAGES


def inference_threads(wildcards) -> int:
    """Threads of a job that passes images through a network, while other such jobs wait."""
    cores = None if workflow.remote_exec else workflow.resource_settings.cores
    return planning.inference_threads(run_settings(wildcards.run), cores)


def device(wildcards) -> str:
    """A resource: what the run's stages compute on."""
    return run_settings(wildcards.run).device


def gpus(wildcards) -> int:
    """A resource: GPUs of a compute stage."""
    return planning.gpus(run_settings(wildcards.run))


def of_a_training(rule: str, section: str) -> dict:
    """The resources of a training: what it saves and when, its processes, and where they run.

    Those for several nodes are absent on a single one; `mpi` lets the job itself call srun.
    """

    def on_nodes(value):
        def select(wildcards):
            settings = run_settings(wildcards.run)
            return value(settings) if planning.training_nodes(settings) > 1 else None

        return select

    def gpu(wildcards):
        settings = run_settings(wildcards.run)
        one = planning.training_nodes(settings) == 1
        return planning.training_gpus(settings) if one else None  # else see gres

    def launcher(wildcards, threads) -> str:
        return planning.launcher(run_settings(wildcards.run), threads)

    return {
        "mem_mb": mem_mb,
        "runtime": runtime(),
        "gpu": gpu,
        "gres": on_nodes(lambda settings: f"gpu:{settings.gpus // settings.nodes}"),
        "nodes": on_nodes(planning.training_nodes),
        "tasks": on_nodes(planning.training_nodes),
        "mpi": on_nodes(lambda _settings: "srun"),
        "device": device,
        "launcher": launcher,
        "saving": saving_settings(section),
        "anew": anew(rule),
    }
