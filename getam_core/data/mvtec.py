"""MVTec's tree of a product with defects (Bergmann et al. 2019): train/good, test/<defect>.

Its masks are ground_truth/<defect>/<image>_mask.png, which only evaluation opens.
"""

from pathlib import Path

from getam_core.data.index import Entry
from getam_core.data.listing import Listing
from getam_core.data.names import image_id_of, images_below, visible_folders
from getam_core.errors import InputError

GOOD = "good"


def is_mvtec(folder: Path) -> bool:
    """Whether `folder` has train/ with only good/, and test/ with good/ and the defects."""
    train, test = visible_folders(folder / "train"), visible_folders(folder / "test")
    defects = {path.name for path in test}
    return [path.name for path in train] == [GOOD] and len(defects) > 1 and GOOD in defects


def list_mvtec(listing: Listing, base: Path) -> None:
    """List all images of the tree, of train/ and of test/, to be split anew.

    The tree's own training images show no defect, so nothing could be learnt from its split.

    Raises
    ------
    InputError
        The tree has no image.
    """
    for part in ("train", "test"):
        for folder in visible_folders(base / part):
            where = folder.relative_to(listing.folder)
            shown = () if folder.name == GOOD else listing.shown([folder.name], f"{where}/")
            for path in images_below(folder):
                image_id = image_id_of(path.relative_to(base))
                listing.entries.append(Entry(image_id, path, "train", shown))
    if not listing.entries:
        raise InputError(f"data root {base}: MVTec's tree without any images")
    listing.warnings.append(
        "MVTec's tree: train/ shows no defect, so all images, including test/, are split again"
        " into train and val (data.val_share)"
    )
