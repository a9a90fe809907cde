import os

# Before torch is imported: two busy threads on shared cores are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.voc_kit import add_image, write_list

REPOSITORY = Path(__file__).parents[1]

# A shell starts background jobs with these signals ignored, and every program that is started here
# would inherit that; the tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


# Tests of the workflow are left out where Snakemake is not installed, as in `make test-lowest`.
WORKFLOW = ("snakemake", "tests.tiny_workflow", "tests.wiring_kit", "tests.warm_python")
if find_spec("snakemake") is None:
    collect_ignore = [
        path.name
        for path in Path(__file__).parent.glob("test_*.py")
        if any(word in path.read_text(encoding="utf-8") for word in WORKFLOW)
    ]

LONGEST = ("test_workflow", "test_retraining")  # runs of the whole workflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no process is left alone with them at the end."""
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


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list]:
    """Made scenes to train on for seconds: their folder, and the entries of the index."""
    from tests.training_kit import make_scenes

    return make_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="session")
def undisturbed(scenes, tmp_path_factory) -> tuple[list, dict]:
    """The rows of metrics.csv and the weights of an uninterrupted training of the kit."""
    from tests.training_kit import trainer

    whole = trainer(scenes, tmp_path_factory.mktemp("undisturbed"))
    return whole.run(), whole.network.state_dict()
