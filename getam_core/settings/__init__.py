"""The settings of a run, typed and validated: `config/<run>.yaml`, explained in `config/README.md`.

Reading order: `sections` (every key and its default), `loading` (YAML and overrides), `errors`
(wrong keys in words), `paths` (what a run names must exist).
"""

from getam_core.settings.loading import load_settings
from getam_core.settings.paths import check_paths
from getam_core.settings.sections import METHOD_NAMES, Section, Settings

__all__ = ["METHOD_NAMES", "Section", "Settings", "check_paths", "load_settings"]
