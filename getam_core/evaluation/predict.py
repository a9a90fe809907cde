"""The label maps of a split, predicted by the segmentation head, into a store."""

from collections.abc import Sequence

from torch import nn
from tqdm import tqdm

from getam_core.data import Entry, read_image
from getam_core.evaluation.inference import segment_image
from getam_core.stores import StoreWriter


def predict_split(
    network: nn.Module,
    entries: Sequence[Entry],
    writer: StoreWriter,
    *,
    sizes: Sequence[int | None],
    flip: bool,
    crf: bool,
) -> None:
    """Write each image's label map at the size of its file, with the class scores beside it.

    Parameters are those of `segment_image`.
    """
    network.eval()
    for entry in tqdm(entries, desc="predict", unit="image"):
        image = read_image(entry.image)
        labels, scores = segment_image(network, image, sizes=sizes, flip=flip, crf=crf)
        writer.write(entry.image_id, labels, scores=scores)
