"""The settings of a run, typed and validated: `config/<run>.yaml`, explained in `config/README.md`.

Reading order: `sections`, with `data`, `networks`, `objective` and `deeplab` (every key and its
default), `loading` (YAML and overrides), `wording` (what is wrong, in words), `methods` (whose maps
the network can give), `paths` (what a run names must exist), `planning` (what a run consists of).
"""

from getam_core.settings.base import Section
from getam_core.settings.loading import load_settings
from getam_core.settings.paths import check_paths
from getam_core.settings.sections import CLASSIFIERS, METHOD_NAMES, SAVING, SWEEPS, Settings

__all__ = [
    "CLASSIFIERS",
    "METHOD_NAMES",
    "SAVING",
    "SWEEPS",
    "Section",
    "Settings",
    "check_paths",
    "load_settings",
]
