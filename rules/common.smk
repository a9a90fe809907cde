# What every rule uses: the run's settings, where the scripts are, and who needs a GPU.

import os
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The library is found, and run by the same Python, whether or not an environment is active.
sys.path.insert(0, str(workflow.basedir))
for variable, first in (("PYTHONPATH", workflow.basedir), ("PATH", Path(sys.executable).parent)):
    others = filter(None, [os.environ.get(variable)])
    os.environ[variable] = os.pathsep.join([str(first), *others])

from getam_core.errors import InputError
from getam_core.settings import METHOD_NAMES, Settings, check_paths, load_settings

SCRIPTS = shlex.quote(str(Path(workflow.basedir, "workflow_scripts")))


@cache
def run_settings(run: str) -> Settings:
    """The settings of `config/<run>.yaml` with the `--config` of the command line over them."""
    path = Path("config", f"{run}.yaml")
    try:
        settings = load_settings(path, config)
        check_paths(settings, path)
    except InputError as error:
        raise WorkflowError(str(error)) from None
    return settings


def stage_settings(*sections: str):
    """Params of a rule: these sections as JSON; a change in them, and nothing else, reruns it."""

    def select(wildcards):
        return run_settings(wildcards.run).select(*sections)

    return select


def device(wildcards) -> str:
    """What the run's stages compute on; no reason to run one again."""
    return run_settings(wildcards.run).device


def gpus(wildcards) -> int:
    """1 for a stage that computes on a GPU; `auto` looks for one where Snakemake runs."""
    asked = device(wildcards)
    return int(asked == "cuda" or (asked == "auto" and shutil.which("nvidia-smi") is not None))
