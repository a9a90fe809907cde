import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.demo import Demo
from tests.cluster.slurm import Slurm, missing, running


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A cluster for all tests; its folder has a short name, since socket paths are limited."""
    if reason := missing():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    try:
        with running(folder) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def on_cluster(slurm, tmp_path_factory, repository) -> Demo:
    """The demo, in a folder that the nodes see too, called through `profiles/slurm`."""
    demo = Demo(tmp_path_factory.mktemp("cluster"), repository)
    demo.options = [*CLUSTER, "--workflow-profile", str(repository / "profiles" / "slurm")]
    demo.environment = slurm.environment
    return demo


# As in docs/cluster.md, except for waits and CPUs: the nodes have two.
CLUSTER = shlex.split(
    "--slurm-status-command squeue --slurm-init-seconds-before-status-checks 3 --max-threads 1"
)


@pytest.fixture(scope="session")
def local(slurm, tmp_path_factory, repository) -> Demo:
    """The demo on this machine."""
    demo = Demo(tmp_path_factory.mktemp("local"), repository)
    demo.options = ["--cores", "1"]
    return demo
