"""From files to training samples: image-level labels only, no mask is opened in this package.

Reading order: `index` (what a run knows about an image), `listing` (what a reader finds, and all
that is wrong with it), `vocabulary` (what a label means), `check` (does every image open). The
readers: `voc` with `augmented`, `coco`, and `folder`, for users' own pictures and other tools'
exports: a table (`table`, `columns`, `cells`, `label_table`, and `names`, which finds the files),
or `class_folders`, `mvtec`, and `foreign` for formats that are refused; `splits` serves all of
them. Then `images` (file to array) and `geometry` (crops, sides).

Not imported here: `label_maps` (those that a training is given) and, since importing torch takes
longer than many stages, `tensors` (array to tensor), `cache` (decoded images in memory) and
`training_set` (samples).
"""

from getam_core.data.check import check_images
from getam_core.data.coco import list_coco
from getam_core.data.folder import Places, list_folder
from getam_core.data.geometry import random_crop, resize, resize_to_stride
from getam_core.data.images import read_image
from getam_core.data.index import (
    Entry,
    class_names,
    class_targets,
    evenly,
    of_split,
    read_index,
    write_index,
)
from getam_core.data.listing import Listing
from getam_core.data.voc import list_voc, voc_folder
from getam_core.data.vocabulary import Vocabulary

__all__ = [
    "Entry",
    "Listing",
    "Places",
    "Vocabulary",
    "check_images",
    "class_names",
    "class_targets",
    "evenly",
    "list_coco",
    "list_folder",
    "list_voc",
    "of_split",
    "random_crop",
    "read_image",
    "read_index",
    "resize",
    "resize_to_stride",
    "voc_folder",
    "write_index",
]
