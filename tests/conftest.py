import os

# Before torch is imported: two busy threads on shared cores are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest

from tests.voc_kit import add_image, write_list

REPOSITORY = Path(__file__).parents[1]


LONGEST = ("test_workflow", "test_retraining")  # runs of the whole workflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, lest one process works on them alone at the end."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """A whole little data set of three images, without any mask."""
    for name in ("JPEGImages", "Annotations", "ImageSets/Segmentation"):
        (tmp_path / name).mkdir(parents=True)
    add_image(tmp_path, "a", "dog", "cat", "dog")
    add_image(tmp_path, "bb", "dog")
    add_image(tmp_path, "ccc", "cat")
    write_list(tmp_path, "train", "a", "bb")
    write_list(tmp_path, "val", "ccc")
    return tmp_path
