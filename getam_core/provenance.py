"""What made a file: the code's revision, the versions of packages, the machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import getam_core

PACKAGES = ("torch", "timm", "numpy", "opencv-python-headless", "h5py", "snakemake")


def provenance(gpu: str | None = None) -> dict[str, Any]:
    """Describe the code and the machine of this process, in JSON values.

    Parameters
    ----------
    gpu : str, optional
        Name of the GPU that was used; None on a CPU.

    Returns
    -------
    dict
        `version` of the software; `revision`, the git commit, None if the code is no checkout;
        `modified`, whether files differ from it; `python`, `packages` (name to version, those that
        are installed), `system`, `cpu`, `cores` (that the process may use), `gpu`.
    """
    revision = git_revision()
    return {
        "version": getam_core.__version__,
        "revision": revision,
        "modified": revision is not None and bool(_git("status", "--porcelain")),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cores": core_count(),
        "gpu": gpu,
    }


def git_revision() -> str | None:
    """Return the commit of the library's checkout; None for an installed copy, or without git.

    An installed copy may lie in a checkout of something else, whose commit is not the library's.
    """
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name)
    return _git("rev-parse", "HEAD") if tracked else None


def cpu_name() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def core_count() -> int:
    """Return how many cores this process may use."""
    limited = hasattr(os, "sched_getaffinity")  # not on macOS
    return len(os.sched_getaffinity(0)) if limited else os.cpu_count() or 1


def _git(*words: str) -> str | None:
    """Return git's output for the library's folder; None if git fails or is missing."""
    command = ["git", "-C", str(Path(__file__).parent), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
