from workflow_scripts.runs import images_of


def scene_lists(wildcards):
    """A drawn data set is an input, a found one is a parameter."""
    made = planning.makes_scenes(run_settings(wildcards.run))
    return rules.make_scenes.output if made else []


def data_folder(wildcards) -> str:
    """Folder of the images, drawn or found."""
    settings = run_settings(wildcards.run)
    made = planning.makes_scenes(settings)
    return f"results/{wildcards.run}/scenes" if made else planning.found_data(settings)


def listing_settings(wildcards) -> str:
    """Params: what the listing depends on; how masks are read only if they give labels."""
    settings = run_settings(wildcards.run)
    return settings.select("data", ground_truth=settings.data.labels == "masks")


def shard_size(wildcards) -> int:
    """Images per shard."""
    return run_settings(wildcards.run).shard_size


def shards_of(wildcards, split: str, size: int) -> range:
    """Numbers of the shards, of `size` images each, of the listed images of a split."""
    listed = checkpoints.list_test if split == "test" else checkpoints.prepare_data
    index = listed.get(run=wildcards.run).output.index
    return range(planning.shard_count(images_of(index, split), size))
