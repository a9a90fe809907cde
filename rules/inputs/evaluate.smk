def index_of_split(wildcards) -> str:
    """Where the images of a split are listed."""
    own = "submission/" if wildcards.split == "test" else ""
    return f"results/{wildcards.run}/{own}index.csv"


def masks_of_labels(wildcards) -> str:
    """Where the masks for pseudo labels are."""
    return f"results/{{run}}/evaluation/masks_{split_of(wildcards)}.csv"


def prediction_shards(wildcards):
    """Predictions of a split, by shard."""
    shards = shards_of(wildcards, wildcards.split, shard_size(wildcards))
    return expand(rules.predict.output.shard, shard=shards, allow_missing=True)


def split_of_figure(wildcards) -> str:
    """The split that a figure is measured on."""
    return planning.split_of_figure(wildcards.figure)


def masks_of_figure(wildcards) -> str:
    """Where the masks of the figure's split are."""
    return f"results/{{run}}/evaluation/masks_{split_of_figure(wildcards)}.csv"


def store_of_figure(wildcards) -> str:
    """What is counted: a store; for DeepLabv2, the folder of the stores with and without CRF."""
    kind, split = wildcards.figure, split_of_figure(wildcards)
    if kind.startswith("seed_"):
        return f"results/{{run}}/{kind.removeprefix('seed_')}/maps.h5"
    if kind == "network_labels":
        return "results/{run}/pseudo_labels/network.h5"
    if kind.startswith("pseudo_labels"):
        return f"results/{{run}}/pseudo_labels/{kind.removeprefix('pseudo_')}.h5"
    if kind.startswith("segmentation_"):
        return f"results/{{run}}/predictions/{split}.h5"
    return f"results/{{run}}/deeplabv2/{split}"


def counted_store(wildcards, input) -> str:
    """The counted store itself, inside the folder for DeepLabv2."""
    crf = "_crf" if wildcards.figure.endswith("_crf") else ""
    of_deeplab = wildcards.figure.startswith("deeplabv2")
    return f"{input.store}/predictions{crf}.h5" if of_deeplab else input.store


def own_method(wildcards) -> str:
    """The method whose maps become the exported labels."""
    return run_settings(wildcards.run).own_method


@without_traceback()
def segmentation_method(wildcards) -> str:
    """Whose labels the network learned to segment from."""
    return planning.segmentation_method(run_settings(wildcards.run), wildcards.run)


def entries_of_run(wildcards):
    """What miou.json holds."""
    names = planning.entries(run_settings(wildcards.run))
    return [f"results/{wildcards.run}/evaluation/{name}.json" for name in names]
