def shown_predictions(wildcards):
    """Predictions on val, unless the decoder learns nothing."""
    segments = run_settings(wildcards.run).train.segments
    return f"results/{wildcards.run}/predictions/val.h5" if segments else []


def maps_of_run(wildcards):
    """Maps of every method that is scored, first those that labels are made from."""
    methods = planning.methods_with_maps(run_settings(wildcards.run))
    return [f"results/{wildcards.run}/{method}/maps.h5" for method in methods]


def scores_of_images(wildcards):
    """The mIoU of every image: pseudo labels of train, then predictions on val."""
    names = ["pseudo_labels", *_segmentation(wildcards)]
    return [f"results/{wildcards.run}/evaluation/images_{name}.csv" for name in names]


def shown_confusion(wildcards) -> str:
    """The confusion matrix of the network or, if it does not segment, of the pseudo labels."""
    (name,) = _segmentation(wildcards) or ["pseudo_labels"]
    return f"results/{wildcards.run}/evaluation/confusion_{name}.csv"


def _segmentation(wildcards) -> list[str]:
    return ["segmentation_val"] if run_settings(wildcards.run).train.segments else []
