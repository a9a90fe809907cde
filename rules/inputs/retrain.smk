def retraining_labels(wildcards):
    """Label maps to retrain on: the run's own, given ones, or its masks."""
    deeplab = run_settings(wildcards.run).deeplab
    if deeplab.supervision == "masks":
        return rules.masks_as_labels.output.labels
    return deeplab.labels or "results/{run}/pseudo_labels/labels.h5"


def entries_of_retraining(wildcards):
    """What deeplabv2/miou.json holds."""
    names = planning.entries_of_retraining(run_settings(wildcards.run))
    return [f"results/{wildcards.run}/evaluation/{name}.json" for name in names]


def deeplab_shards(wildcards):
    """DeepLabv2's predictions of a split, by shard."""
    shards = shards_of(wildcards, wildcards.split, shard_size(wildcards))
    return expand(rules.predict_deeplab.output.folder, shard=shards, allow_missing=True)
