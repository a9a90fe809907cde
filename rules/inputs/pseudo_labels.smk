@without_traceback()
def label_maps(wildcards) -> str:
    """The maps that the exported labels are made from, those of the run's own method."""
    method = planning.label_method(run_settings(wildcards.run), wildcards.run)
    return f"results/{{run}}/{method}/maps{wildcards.get('of', '')}.h5"


def label_saliency(wildcards):
    """Saliency, if the exported labels use it."""
    used = run_settings(wildcards.run).pseudo_labels.uses_saliency
    return f"results/{{run}}/saliency{wildcards.get('of', '')}.h5" if used else []


@without_traceback()
def network_that_segments(wildcards) -> str:
    """The run's network, whose decoder must have been trained."""
    planning.segmentation_method(run_settings(wildcards.run), wildcards.run)
    return rules.train.output.checkpoint


def label_shards(wildcards):
    """Pseudo labels, by shard."""
    shards = shards_of(wildcards, split_of(wildcards), shard_size(wildcards))
    return expand(rules.pseudo_labels.output.shard, shard=shards, allow_missing=True)


def network_label_shards(wildcards):
    """Labels of the training images by the trained network, by shard."""
    shards = shards_of(wildcards, "train", shard_size(wildcards))
    return expand(rules.network_labels.output.shard, shard=shards, allow_missing=True)
