"""The settings of a run, typed and validated: `config/<run>.yaml`.

Reading order: `sections`, with a file for each stage (`data`, `networks`, `saliency`, `training`,
`maps`, `labels`, `evaluation`, `deeplab`: every key, its default, and under it what it means);
`loading` (YAML and overrides), `wording` (what is wrong, in words), `methods` (whose maps the
network can give), `paths` (what a run names must exist), `planning` (what a run consists of);
`describe`, with `schema` and `values` (docs/settings.md and config/schema.json: `make docs`).
"""

from getam_core.settings.base import Section
from getam_core.settings.loading import load_settings
from getam_core.settings.maps import CLASSIFIERS, METHOD_NAMES
from getam_core.settings.paths import check_paths, check_saliency
from getam_core.settings.sections import SAVING, SWEEPS, Settings

__all__ = [
    "CLASSIFIERS",
    "METHOD_NAMES",
    "SAVING",
    "SWEEPS",
    "Section",
    "Settings",
    "check_paths",
    "check_saliency",
    "load_settings",
]
