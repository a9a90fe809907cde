def network_of_method(wildcards) -> str:
    """The run's own network, or the one that was trained for the method."""
    classifier = planning.classifier_of(run_settings(wildcards.run), wildcards.method)
    if classifier is None:
        return rules.train.output.checkpoint
    return expand(
        rules.train_classifier.output.checkpoint, classifier=classifier, allow_missing=True
    )


def map_settings(wildcards) -> str:
    """The sections that the method's maps depend on."""
    return run_settings(wildcards.run).select(*planning.map_sections(wildcards.method))


def map_shards(wildcards):
    """Maps of a split, by shard."""
    shards = shards_of(wildcards, split_of(wildcards), shard_size(wildcards))
    return expand(rules.export_maps.output.shard, shard=shards, allow_missing=True)
