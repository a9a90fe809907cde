"""The objective of a training, GETAM's or AFA's, unpacked from the settings of a run."""

from torch import nn

from getam_core.errors import InputError
from getam_core.settings import Settings
from getam_core.training import Afa, DenseEnergy, Getam, Labelling, Plan, Recipe
from getam_core.training.losses import Count


def getam(network: nn.Module, settings: Settings, planned: Plan, count: Count) -> Getam:
    """Unpack the settings into GETAM's objective."""
    train = settings.train
    return Getam(
        network,
        labelling_of(settings),
        train.losses.model_dump(),
        classification_epochs=planned.second_half,
        saliency_threshold=threshold_of(settings),
        energy=DenseEnergy(**train.dense_energy.model_dump()),
        count=count,
    )


def afa(network: nn.Module, settings: Settings, steps_per_epoch: int, count: Count) -> Afa:
    """Unpack the settings into AFA's objective.

    Raises
    ------
    InputError
        The training would end before it learns to segment.
    """
    own, steps = settings.train.afa, settings.train.epochs * steps_per_epoch
    if own.classification_iterations >= steps:
        raise InputError(
            f"train.afa.classification_iterations: {own.classification_iterations}, but"
            f" train.epochs: {settings.train.epochs} are {steps} iterations of these images, so"
            " segmentation would never be trained; lower it, or raise train.epochs"
        )
    return Afa(
        network,
        Recipe(labelling_of(settings), own.radius, own.scales, own.flip, own.balanced),
        own.losses.model_dump(),
        steps_per_epoch=steps_per_epoch,
        classification_steps=own.classification_iterations,
        propagation_steps=own.propagation_iterations,
        saliency_threshold=threshold_of(settings),
        count=count,
    )


def labelling_of(settings: Settings) -> Labelling:
    """Unpack how the second half makes its labels."""
    train = settings.train
    labels = train.labels.model_dump(exclude={"saliency", "saliency_threshold"})
    maps = train.maps.arguments
    if train.method == train.maps.method == "afa":
        maps |= {"scales": train.afa.scales, "flip": train.afa.flip}
    return Labelling(maps, labels, train.maps.method)


def threshold_of(settings: Settings) -> float | None:
    """Return the value above which a pixel is salient; None if training uses no saliency."""
    train = settings.train
    return train.labels.saliency_threshold if train.uses_saliency else None
