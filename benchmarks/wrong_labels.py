"""Does the review find labels that are wrong? `python -m benchmarks.wrong_labels FOLDER`.

Draws made scenes, gives one in twenty a wrong label in place of a right one, runs the workflow to
review.csv, and prints how many of the top-ranked images are those. Resumes in the same folder.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from benchmarks.timing import table
from getam_core.average_precision import average_precision
from getam_core.classes import SCENE_CLASSES
from getam_core.data import class_targets, of_split, read_index
from getam_core.scenes import write_salient_scenes, write_scenes
from getam_core.stores import open_store

REPOSITORY = Path(__file__).parents[1]
RUN = "swapped"
SIZE, TRAIN, VAL, SALIENT = 96, 800, 100, 500
EPOCHS, CLASSIFICATION_EPOCHS, SALIENCY_EPOCHS = 16, 6, 4
NAME = re.compile(r"<name>(\w+)</name>")


def swap_labels(root: Path, share: float, seed: int) -> list[str]:
    """Replace one class of some training images by one that they do not show; return their ids.

    Masks are left as they are: only Annotations/*.xml change, which labels are read from.
    """
    rng = np.random.default_rng(seed)
    ids = (root / "ImageSets/Segmentation/train.txt").read_text().split()
    chosen = rng.permutation(ids)[: round(share * len(ids))].tolist()
    for image_id in chosen:
        path = root / "Annotations" / f"{image_id}.xml"
        text = path.read_text()
        own = NAME.findall(text)
        right = rng.choice(own)
        wrong = rng.choice([name for name in SCENE_CLASSES if name not in own])
        path.write_text(text.replace(f"<name>{right}</name>", f"<name>{wrong}</name>"))
    return chosen


def write_run(folder: Path, seed: int) -> None:
    """Write the demo's settings with fewer epochs, for the scenes in `folder`."""
    settings = yaml.safe_load((REPOSITORY / "config/demo.yaml").read_text())
    settings["seed"] = seed
    settings["data"] = {
        "layout": "voc",
        "root": str(folder / "data"),
        "classes": list(SCENE_CLASSES),
    }
    settings["saliency"] |= {"images": str(folder / "salient"), "epochs": SALIENCY_EPOCHS}
    settings["train"] |= {"epochs": EPOCHS, "classification_epochs": CLASSIFICATION_EPOCHS}
    settings["predict"] = {"sizes": [SIZE], "crf": False}
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / f"{RUN}.yaml").write_text(yaml.safe_dump(settings))


def prepare(folder: Path, share: float, seed: int) -> None:
    """Make the data set once, with `swapped.json`, the ids of the images with a wrong label."""
    if (folder / "swapped.json").exists():
        return
    write_scenes(folder / "data", TRAIN, VAL, SIZE, seed)
    write_salient_scenes(folder / "salient", SALIENT, SIZE, seed)
    write_run(folder, seed)
    swapped = swap_labels(folder / "data", share, seed)
    (folder / "swapped.json").write_text(json.dumps(swapped))


def orders(folder: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return the training images' ids and, by name, the values to rank them by, highest first."""
    results = folder / "results" / RUN
    entries = of_split(read_index(results / "index.csv"), "train")
    with (results / "review.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["image_id"]: row for row in csv.DictReader(file)}
    ids = [entry.image_id for entry in entries]

    def column(name: str) -> np.ndarray:
        return np.array([float(rows[image_id][name]) for image_id in ids])

    loss = classification_loss(results / "predictions/train.h5", entries)
    return ids, {
        "review.csv": column("suspicion"),
        "classification loss alone": loss,
        "pseudo label and prediction alone": -column("label_agreement"),
        "mirror image alone": -column("flip_agreement"),
        "random": np.random.default_rng(0).random(len(ids)),
    }


def classification_loss(predictions: Path, entries: Sequence) -> np.ndarray:
    """Return the binary cross entropy of each image, the sum over classes."""
    store = open_store(predictions, "predictions")
    scores = np.stack([store.attributes(entry.image_id)["scores"] for entry in entries])
    signed = np.where(class_targets(entries, store.classes), -scores, scores)
    return np.logaddexp(0, signed).sum(axis=1)


def rows_of(by: Mapping[str, np.ndarray], wrong: np.ndarray) -> list[list[str]]:
    """Return name, precision among the first n images if n are wrong, average precision, in %."""
    rows = []
    for name, values in by.items():
        first = np.argsort(-values, kind="stable")[: wrong.sum()]
        (found,) = average_precision(values[:, None], wrong[:, None])
        rows.append([name, f"{100 * wrong[first].mean():.1f}", f"{100 * found:.1f}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wrong_labels", description=__doc__)
    parser.add_argument("folder", type=Path, help="where data and results go")
    parser.add_argument("--share", type=float, default=0.05, help="of images with a wrong label")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    prepare(folder, arguments.share, arguments.seed)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--directory", folder]
    command += ["--snakefile", REPOSITORY / "Snakefile", "--", f"results/{RUN}/review.csv"]
    subprocess.run(command, check=True)
    ids, by = orders(folder)
    swapped = set(json.loads((folder / "swapped.json").read_text()))
    wrong = np.array([image_id in swapped for image_id in ids])
    title = f"{wrong.sum()} wrong labels in {len(ids)} images, ordered by"
    share = f"wrong among the first {wrong.sum()}, %"
    print(table([title, share, "average precision, %"], rows_of(by, wrong)))


if __name__ == "__main__":
    main()
