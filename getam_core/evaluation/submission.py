"""Label maps of PASCAL VOC's test images as the archive that its evaluation server accepts."""

import gzip
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from getam_core.errors import InputError
from getam_core.files import atomic_path
from getam_core.label_png import index_png
from getam_core.stores import Store

# comp6: any data but the test images may be used for training, such as saliency and ImageNet.
FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"


def write_submission(path: Path | str, predictions: Store, image_ids: Sequence[str]) -> None:
    """Write `path`, a .tar.gz of `FOLDER/<image_id>.png`: index PNGs with the VOC palette.

    The same predictions give the same bytes.

    Parameters
    ----------
    path : Path or str
    predictions : Store
        Of kind "predictions": label maps 0..C.
    image_ids : sequence of str
        All test images, in the order of the archive.

    Raises
    ------
    InputError
        The store is of another kind, lacks an image, or is damaged.
    """
    if predictions.kind != "predictions":
        raise InputError(f"{predictions.path}: holds {predictions.kind}, expected predictions")
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for image_id in tqdm(image_ids, "submission", unit="image"):
            content = io.BytesIO()
            index_png(predictions[image_id]).save(content, "PNG")
            member = tarfile.TarInfo(f"{FOLDER}/{image_id}.png")
            member.size = content.tell()
            archive.addfile(member, io.BytesIO(content.getvalue()))
