"""Public data sets by name: `archives` (where they are, what must be in them), `loading`.

Nothing is downloaded unless somebody asks for a data set by its name.
"""

from getam_core.downloads.archives import ARCHIVES, DATA_SETS, Archive
from getam_core.downloads.loading import download, unpack

__all__ = ["ARCHIVES", "DATA_SETS", "Archive", "download", "unpack"]
