"""The label stage as the workflow runs it, and the throughput of its files against the disk's."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from benchmarks.timing import table
from getam_core.data import Entry
from getam_core.labels import export_labels
from getam_core.processes import Workers
from getam_core.stores import StoreWriter, open_store, write_maps

CLASSES = tuple("abcdefghijklmnopqrst")
IMAGES, SIZE, GRID = 200, (240, 320), (15, 20)  # images of 320 px and their maps
MEGABYTE = 1e6


def made_run(folder: Path) -> list[Entry]:
    """Write images, maps and saliency of a small data set; 1, 2 and 3 classes take turns."""
    rng = np.random.default_rng(0)
    entries = []
    with (
        StoreWriter(folder / "maps.h5", "maps", CLASSES, {}) as maps,
        StoreWriter(folder / "saliency.h5", "saliency", CLASSES, {}) as saliency,
    ):
        for i in range(IMAGES):
            coarse = rng.integers(0, 256, (8, 10, 3), np.uint8)
            image = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / f"{i}.jpg"), image)
            ids = 1 + np.arange(1 + i % 3)
            write_maps(maps, f"{i}", rng.random((len(ids), *GRID)), ids, size=SIZE)
            saliency.write(f"{i}", np.ascontiguousarray(image[..., 0]))
            entries.append(Entry(f"{i}", folder / f"{i}.jpg", "train", ()))
    return entries


def label_all(folder: Path, entries: list[Entry], workers: int) -> None:
    with (
        StoreWriter(folder / "labels.h5", "labels", CLASSES, {}) as writer,
        Workers(workers) as processes,
    ):
        stores = (open_store(folder / f"{kind}.h5", kind) for kind in ("maps", "saliency"))
        export_labels(entries, *stores, writer, saliency_threshold=0.5, workers=processes)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def read_all(path: Path) -> int:
    store = open_store(path)
    total = sum(store[image_id].nbytes for image_id in store)
    store.close()
    return total


def stage_rate(folder: Path, entries: list[Entry], workers: int, rounds: int) -> float:
    """Images/s, not counting the start of the processes: seconds, however many images there are."""
    few = entries[:8]
    start = min(seconds(lambda: label_all(folder, few, workers)) for _ in range(rounds))
    spent = min(seconds(lambda: label_all(folder, entries, workers)) for _ in range(rounds))
    return (len(entries) - len(few)) / (spent - start)


def store_rows(folder: Path, rounds: int) -> list[list[str]]:
    """Write and read label maps through a store, and the same bytes through a plain file."""
    labels = open_store(folder / "labels.h5")
    arrays = {image_id: labels[image_id] for image_id in labels}
    raw, plain, path = b"".join(a.tobytes() for a in arrays.values()), folder / "raw", folder / "h5"

    def write_store() -> None:
        with StoreWriter(path, "labels", CLASSES, {}) as writer:
            for image_id, array in arrays.items():
                writer.write(image_id, array)
        sync(path)

    def write_plain() -> None:
        plain.write_bytes(raw)
        sync(plain)

    forms = {
        "write label maps, gzip and checksum, to the disk": write_store,
        "read them, with checksum": lambda: read_all(path),
        "write the same bytes as a plain file, to the disk": write_plain,
        "read the plain file": plain.read_bytes,
    }
    rows = []
    for name, form in forms.items():
        best = min(seconds(form) for _ in range(rounds))
        rows.append([name, f"{len(raw) / best / MEGABYTE:.0f}", f"{len(arrays) / best:.0f}"])
    return rows


def sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def print_table(rounds: int) -> None:
    """Print the tables; about a minute on one core with 3 rounds."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with TemporaryDirectory() as name:
        folder = Path(name)
        entries = made_run(folder)
        rates = {n: stage_rate(folder, entries, n, rounds) for n in range(1, min(cores, 2) + 1)}
        print(f"\n## labels: the whole stage from maps.h5, {IMAGES} images of 320 x 240 px\n")
        columns = ["processes", "images/s", "times one"]
        rows = [[f"{n}", f"{rate:.1f}", f"{rate / rates[1]:.2f}"] for n, rate in rates.items()]
        print(table(columns, rows))
        print("\n## labels: HDF5 beside the disk\n")
        print(table(["what", "MB/s (as uint8)", "images/s"], store_rows(folder, rounds)))
