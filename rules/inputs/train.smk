def training_saliency(wildcards):
    """Saliency, if the labels of training use it."""
    used = run_settings(wildcards.run).train.uses_saliency
    return "results/{run}/saliency.h5" if used else []


def given_labels(wildcards):
    """Label maps that training does not make itself: imported, another run's, or the masks."""
    train = run_settings(wildcards.run).train
    masks = train.supervision == "masks"
    return rules.masks_as_labels.output.labels if masks else train.label_maps or []


def given_labels_option(wildcards, input):
    """Params: the same as an option; a list, since its items are then quoted."""
    return ["--labels", input.labels] if input.labels else []
