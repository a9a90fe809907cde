def training_saliency(wildcards):
    """Saliency, if the labels of training use it."""
    used = run_settings(wildcards.run).train.uses_saliency
    return "results/{run}/saliency.h5" if used else []


def given_labels(wildcards):
    """Label maps that training does not make: given ones, another run's, or the masks."""
    train = run_settings(wildcards.run).train
    masks = train.supervision == "masks"
    return rules.masks_as_labels.output.labels if masks else train.label_maps or []


def given_labels_option(wildcards, input):
    """The same as an option; users choose the path, so it is quoted."""
    return ["--labels", input.labels] if input.labels else []
