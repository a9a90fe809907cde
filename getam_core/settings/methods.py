"""Which methods' maps a run's network can give; a stage, with only some sections, cannot tell."""

from getam_core.errors import InputError
from getam_core.settings.maps import CLASSIFIERS
from getam_core.settings.networks import ModelSettings
from getam_core.settings.sections import Settings


def check_methods(settings: Settings, source: str) -> None:
    """Raise `InputError` if the network cannot give the maps that the settings ask for."""
    train, model = settings.train, settings.model
    _check_affinity(settings, source)
    reason = lacking(train.maps.method, model)
    if reason and train.segments:  # on given labels, too: TensorBoard's picture shows the maps
        raise InputError(f"{source}: train.maps.method: {train.maps.method} {reason}")
    for name in settings.evaluate.seeds:
        if reason := lacking_in_run(name, settings):
            raise InputError(f"{source}: evaluate.seeds: {name} {reason}; or leave it out")


def _check_affinity(settings: Settings, source: str) -> None:
    learned = settings.train.method == "afa"
    if learned and not settings.model.affinity_blocks:
        raise InputError(
            f"{source}: model.affinity_blocks: train.method: afa learns affinity from the attention"
            " of that many last blocks; set it, AFA has 2"
        )
    if not learned and (settings.model.affinity_blocks or settings.maps.affinity is not None):
        key = "model.affinity_blocks" if settings.maps.affinity is None else "maps.affinity"
        raise InputError(f"{source}: {key}: only train.method: afa learns affinity")
    if settings.maps.affinity is not None and settings.getam.store_blocks:
        raise InputError(
            f"{source}: getam.store_blocks and maps.affinity exclude each other: set store_blocks"
            " to false or affinity to null"
        )


def lacking_in_run(method: str, settings: Settings) -> str | None:
    """Say what a run lacks for a method, for which it may train a network; None if nothing."""
    model = settings.model
    if method == settings.own_method or method not in CLASSIFIERS:
        return lacking(method, model)
    if method == "cnn_cam":
        cnn = settings.classifiers.cnn or model.stem
        return None if cnn else "needs a CNN, but the model has no stem: set classifiers.cnn"
    if model.name is None or _is_mix_transformer(model.name):
        return "needs a transformer with a [class] token"
    return None


def lacking(method: str, model: ModelSettings) -> str | None:
    """Say what the run's own network lacks for a method; None if nothing."""
    if method == "cnn_cam":
        return None if model.name is None else "needs a pure CNN: set model.name to null"
    if model.name is None:
        return "needs a transformer, but model.name is null: use cnn_cam"
    if _is_mix_transformer(model.name) and method != "afa":
        return "needs a [class] token, which a Mix Transformer does not have: use afa"
    if method in ("cam_ignore", "cam_add") and model.head != "class":
        return "needs a linear head on the tokens: set model.head to class"
    if method == "afa" and model.head != "max_pooled":
        return "needs AFA's classifier: set model.head to max_pooled"
    if method == "ts_cam" and model.head != "ts_cam":
        return "needs its own head: set model.head to ts_cam"
    return None


def _is_mix_transformer(name: str) -> bool:
    return name.startswith("mit_b")
