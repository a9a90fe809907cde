def index_of_split(wildcards) -> str:
    """Where the images of a split are listed."""
    own = "submission/" if wildcards.split == "test" else ""
    return f"results/{wildcards.run}/{own}index.csv"


def masks_of_labels(wildcards) -> str:
    """Where the masks of the split of pseudo labels are."""
    return f"results/{{run}}/evaluation/masks_{split_of(wildcards)}.csv"


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
