"""The settings of a run, typed and validated: `config/<run>.yaml`.

Reading order: `sections`, with a file for each stage (`data`, `networks`, `saliency`, `training`,
`maps`, `labels`, `evaluation`, `tables`, `deeplab`: every key, its default, and below it its
meaning); `loading` (YAML and overrides), `runs` (a run's name), `wording` (errors in plain words),
`methods` (which methods' maps the network can give), `paths` (the files that a run names must
exist), `planning` (what a run consists of); `describe`, with `schema` and `values`
(docs/settings.md and config/schema.json: `make docs`).
"""

from getam_core.settings.base import Section
from getam_core.settings.loading import load_settings
from getam_core.settings.maps import CLASSIFIERS, METHOD_NAMES
from getam_core.settings.paths import check_paths, check_saliency, with_labels_at_its_seed
from getam_core.settings.runs import at_seed, run_file
from getam_core.settings.sections import MAP_STUDIES, SAVING, SWEEPS, Settings
from getam_core.settings.tables import TABLES

__all__ = [
    "CLASSIFIERS",
    "MAP_STUDIES",
    "METHOD_NAMES",
    "SAVING",
    "SWEEPS",
    "TABLES",
    "Section",
    "Settings",
    "at_seed",
    "check_paths",
    "check_saliency",
    "load_settings",
    "run_file",
    "with_labels_at_its_seed",
]
