"""An HDF5 file per stage: saliency, maps, labels, predictions; whole or absent, each image checked.

Reading order: `layout` (what is inside), `hdf5` (locks, damage), `writer`, `reader`, `parts` (files
that are made in parts), `maps` (what a stored map is), `export` (to PNG), `importing` (from PNG),
`regions`, `coco` and `yolo` (formats with regions), `names` (of their image files), `summary`,
`__main__` (all of it from the shell). docs/formats.md describes the files for other programs;
`python -m getam_core.stores verify FILE` says whether one is whole.
"""

from getam_core.stores.coco import export_coco
from getam_core.stores.export import export_png
from getam_core.stores.importing import import_png, label_pngs
from getam_core.stores.label_images import (
    LABELMAP,
    Values,
    nothing_labelled,
    parse_values,
    read_label_png,
    read_labelmap,
)
from getam_core.stores.layout import SCHEMA
from getam_core.stores.maps import StoredMaps, read_maps, write_maps
from getam_core.stores.parts import (
    Output,
    merge_stores,
    write_in_parts,
    write_together_in_parts,
)
from getam_core.stores.reader import Store, open_store, verify
from getam_core.stores.summary import summary
from getam_core.stores.writer import StoreWriter
from getam_core.stores.yolo import export_yolo

__all__ = [
    "LABELMAP",
    "SCHEMA",
    "Output",
    "Store",
    "StoreWriter",
    "StoredMaps",
    "Values",
    "export_coco",
    "export_png",
    "export_yolo",
    "import_png",
    "label_pngs",
    "merge_stores",
    "nothing_labelled",
    "open_store",
    "parse_values",
    "read_label_png",
    "read_labelmap",
    "read_maps",
    "summary",
    "verify",
    "write_in_parts",
    "write_maps",
    "write_together_in_parts",
]
