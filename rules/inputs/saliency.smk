# Images per shard. Not a setting: other shards would remake saliency, and training after it.
SALIENCY_SHARD = 2000


@without_traceback()
def saliency_training_images(wildcards):
    """The folder of images and masks that the network learns from: found, or drawn scenes."""
    settings = run_settings(wildcards.run)
    check_saliency(settings, f"config/{wildcards.run}.yaml")  # a sweep may ask only for saliency
    folder = settings.saliency.images
    return ancient(folder) if folder else rules.make_salient_scenes.output.folder


def saliency_network(wildcards):
    """The trained network of this run or another, unless maps are given."""
    saliency = run_settings(wildcards.run).saliency
    network = saliency.network or rules.train_saliency.output.network
    return network if saliency.source == "network" else []


def saliency_shards(wildcards):
    """Saliency of a split, by shard."""
    shards = shards_of(wildcards, split_of(wildcards), SALIENCY_SHARD)
    return expand(rules.make_saliency.output.shard, shard=shards, allow_missing=True)
