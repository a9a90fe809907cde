"""Which method's maps a run's network can give; a stage alone, with some sections, cannot say."""

from getam_core.errors import InputError
from getam_core.settings.maps import CLASSIFIERS
from getam_core.settings.networks import ModelSettings
from getam_core.settings.sections import Settings


def check_methods(settings: Settings, source: str) -> None:
    """Raise `InputError` where the network cannot give the maps that are asked of it."""
    train, model = settings.train, settings.model
    _check_affinity(settings, source)
    reason = lacking(train.maps.method, model)
    if reason and train.segments:  # on given labels, too: TensorBoard's picture shows the maps
        raise InputError(f"{source}: train.maps.method: {train.maps.method} {reason}")
    for name in settings.evaluate.seeds:
        own = name not in CLASSIFIERS or name == settings.own_method
        if own and (reason := lacking(name, model)):
            raise InputError(f"{source}: evaluate.seeds: {name} {reason}; or leave it out")
        if name == "ts_cam" and model.name is None:
            raise InputError(f"{source}: evaluate.seeds: ts_cam needs a transformer; leave it out")


def _check_affinity(settings: Settings, source: str) -> None:
    learned = settings.train.method == "afa"
    if learned and not settings.model.affinity_blocks:
        raise InputError(
            f"{source}: model.affinity_blocks: train.method: afa learns affinity from the attention"
            " of so many last blocks; AFA has 2"
        )
    if not learned and (settings.model.affinity_blocks or settings.maps.affinity is not None):
        key = "model.affinity_blocks" if settings.maps.affinity is None else "maps.affinity"
        raise InputError(f"{source}: {key}: affinity is learned by train.method: afa alone")
    if settings.maps.affinity is not None and settings.getam.store_blocks:
        raise InputError(f"{source}: getam.store_blocks: off, or maps.affinity: null; not both")


def lacking(method: str, model: ModelSettings) -> str | None:
    """Say what the run's own network lacks for a method; None where it lacks nothing."""
    if method == "cnn_cam":
        return None if model.name is None else "needs a CNN alone: set model.name to null"
    if model.name is None:
        return "needs a transformer, and model.name is null: take cnn_cam"
    if model.name.startswith("mit_b") and method != "afa":
        return "needs a [class] token, which a Mix Transformer has not: take afa"
    if method in ("cam_ignore", "cam_add") and model.head != "class":
        return "needs a linear head on the tokens: set model.head to class"
    if method == "afa" and model.head != "max_pooled":
        return "needs AFA's classifier: set model.head to max_pooled"
    if method == "ts_cam" and model.head != "ts_cam":
        return "needs its own head: set model.head to ts_cam"
    return None
