"""The files and folders that a run names: checked before anything is planned."""

import re
from collections.abc import Callable
from pathlib import Path

from getam_core.errors import InputError
from getam_core.settings.runs import at_seed, is_at_seed, run_file
from getam_core.settings.sections import Settings

LABEL_MAPS = r"pseudo_labels/(?:labels|network)\.h5"


def check_paths(settings: Settings, source: Path, run: str | None = None) -> None:
    """Check, before anything is planned, that every folder and file that a run names is there.

    Parameters
    ----------
    settings : Settings
    source : Path
        The run's file, for messages.
    run : str, optional
        The run's name, if it is not that of the file.

    Raises
    ------
    InputError
        Names the key, the path, and what to give instead.
    """
    named = _named_paths(settings)
    if settings.data_root is None:
        has_root = settings.data.layout == "scenes" or settings.data.root is not None
        if not has_root or any("{data_root}" in text for _, text in named):
            raise InputError(
                f"{source}: data_root is not set; say where the data set is:"
                " --config data_root=FOLDER"
            )
    elif not settings.data_root.is_dir():
        raise InputError(f"data_root: no such folder: {settings.data_root}")
    if settings.data.root is not None and not Path(settings.data.root).is_dir():
        raise InputError(f"{source}: data.root: no such folder: {settings.data.root}")
    for key, text in named:
        if key == "train.resume_from" and _has_begun(run or source.stem):
            continue
        if not Path(text).exists():
            raise InputError(f"{source}: {key}: no such file or folder: {text}")
    if _uses_saliency(settings):
        check_saliency(settings, source)


def _named_paths(settings: Settings) -> list[tuple[str, str]]:
    stem, encoder = settings.model.stem, settings.saliency.encoder
    cnn = settings.classifiers.cnn
    source = settings.saliency.source if _uses_saliency(settings) else None
    trains = source == "network" and settings.saliency.network is None
    named = {
        "data.sbd": settings.data.sbd,
        "submission.root": settings.submission.root,
        "model.weights": settings.model.weights,
        "model.stem.weights": stem.weights if stem else None,
        "train.label_maps": settings.train.label_maps,
        "train.resume_from": settings.train.resume_from,
        "classifiers.cnn.weights": cnn.weights if cnn else None,
        "saliency.encoder.weights": encoder.weights if trains else None,
        "saliency.images": settings.saliency.images if trains else None,
        "saliency.network": settings.saliency.network if source == "network" else None,
        "saliency.folder": settings.saliency.folder if source == "precomputed" else None,
        "deeplab.labels": settings.deeplab.labels,
        "deeplab.weights": settings.deeplab.weights,
    }
    return [
        (key, text)
        for key, text in named.items()
        if text is not None and not _from_hub(key, text) and not _made_by_run(key, text)
    ]


def _from_hub(key: str, text: str) -> bool:
    return text == "hub" or (key == "deeplab.weights" and text.startswith("hub:"))


def _made_by_run(key: str, text: str) -> bool:
    """Whether the path is that of a run with a settings file, so that the workflow makes it."""
    files = {
        "train.label_maps": LABEL_MAPS,
        "deeplab.labels": LABEL_MAPS,
        "saliency.network": r"saliency/network\.pt",
    }
    made = re.fullmatch(rf"results/([^/]+)/{files[key]}", text) if key in files else None
    return made is not None and run_file(made[1])[0].is_file()


def with_labels_at_its_seed(settings: Settings, seed_of: Callable[[str], int]) -> Settings:
    """Return the settings of `NAME-seed3` with the label maps that other runs make at that seed.

    Parameters
    ----------
    seed_of : callable
        Returns the seed of a run by its name.
    """

    def at_its_seed(text: str | None) -> str | None:
        made = re.fullmatch(rf"results/([^/]+)/({LABEL_MAPS})", text or "")
        if made is None or is_at_seed(made[1]) or not run_file(made[1])[0].is_file():
            return text
        return f"results/{at_seed(made[1], seed_of(made[1]), settings.seed)}/{made[2]}"

    train, deeplab = settings.train, settings.deeplab
    changed = {
        "train": train.model_copy(update={"label_maps": at_its_seed(train.label_maps)}),
        "deeplab": deeplab.model_copy(update={"labels": at_its_seed(deeplab.labels)}),
    }
    return settings.model_copy(update=changed)


def _has_begun(run: str) -> bool:
    """Whether a run has a state to resume from, or its network: it then needs no other state."""
    own = ("state/train.pt", "train/checkpoint.pt")
    return any(Path("results", run, file).is_file() for file in own)


def _uses_saliency(settings: Settings) -> bool:
    makes_labels = settings.train.supervision == "classes"
    exported = makes_labels and settings.pseudo_labels.uses_saliency
    return settings.train.uses_saliency or exported


def check_saliency(settings: Settings, source: Path) -> None:
    """Raise `InputError` if the source of saliency lacks its input."""
    saliency = settings.saliency
    if saliency.source == "precomputed" and saliency.folder is None:
        raise InputError(f"{source}: saliency.folder: needed by saliency.source: precomputed")
    made = settings.data.layout == "scenes"
    trains = saliency.source == "network" and saliency.network is None
    if trains and saliency.images is None and not made:
        raise InputError(
            f"{source}: saliency.images: name a folder with images/ and masks/ to train the"
            " saliency network on, or choose another source: saliency.source: precomputed (with"
            " saliency.folder), rembg, or none"
        )
