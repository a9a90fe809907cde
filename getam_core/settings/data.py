"""The section of the data set."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from getam_core.classes import (
    COCO_CLASSES,
    MOST_CLASSES,
    SCENE_CLASSES,
    VOC_CLASSES,
    unusable_names,
)
from getam_core.settings.base import Count, Distinct, Section

Names = Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_CLASSES), Distinct]

# Defaults that depend on the layout. `classes` None: those found in the data.
LAYOUT_DEFAULTS: dict[str, dict[str, Any]] = {
    "voc": {"classes": VOC_CLASSES},
    "coco": {"classes": COCO_CLASSES, "train": "train2014", "val": "val2014"},
    "folder": {"classes": None},
    "scenes": {"classes": SCENE_CLASSES, "train": "train", "val": "val"},
}


class SceneSettings(Section):
    """The scenes that `layout: scenes` draws."""

    train: Count = 2000
    """Number of training images."""
    val: Count = 200
    """Number of validation images."""
    salient: Count = 1000
    """Number of images with foreground masks, for the saliency network. They show other shapes."""
    size: int = Field(96, ge=32)
    """Side of a scene, px."""
    seed: int = Field(0, ge=0)
    """Random seed. The i-th scene of a split does not depend on the number of scenes."""


class ColumnSettings(Section):
    """Names of a table's columns, where they are not the usual ones."""

    image: str | None = None
    """Name of the column of image files."""
    classes: str | Names | None = None
    """Name of the column of classes, or a list of names of columns of 0 and 1."""
    split: str | None = None
    """Name of the column that says `train` or `val`."""


class DataSettings(Section):
    """Images and image-level labels. docs/data.md lists the formats that are read."""

    layout: Literal["voc", "coco", "folder", "scenes"] = "voc"
    """Format: a PASCAL VOC devkit, MS COCO, a folder of your own, or scenes that the run draws."""
    root: str | None = None
    """Folder of the data set. `null`: `data_root`."""
    classes: Names | None = VOC_CLASSES
    """Foreground classes, without `background`. Class k, counted from 1, has value k in label maps
    and masks. The default depends on the layout: the 20 of VOC; the 80 of COCO; `null` for
    `folder`, which takes those of the training images in alphabetical order. `scenes` has its own:
    circle, square, triangle, star, cross, ring."""
    train: str = "train"
    """Name of the training split: the list `ImageSets/Segmentation/<train>.txt` of VOC; the file
    `instances_<train>.json` of COCO, where the default is `train2014`; or the word in the split
    column of a table."""
    val: str = "val"
    """Name of the validation split, in the same way. COCO's default is `val2014`."""
    val_share: float = Field(0.2, gt=0, lt=1)
    """Share of the images that become val, for a `folder` without splits. The SHA-256 of the image
    ids decides which; every class keeps training images."""
    images: str | None = None
    """Folder of the images, relative to the data set's folder, for `layout: folder`. `null`:
    `images/`."""
    table: str | None = None
    """Table of the labels, relative to the data set's folder, for `layout: folder`. `null`:
    `labels.csv`."""
    columns: ColumnSettings = ColumnSettings()
    masks: str | None = None
    """Folder of the masks, relative to the data set's folder, for `layout: folder`. `null`:
    `masks/`. Only evaluation opens it."""
    mask_values: dict[int | str, str] = Field(default_factory=dict)
    """Classes of the masks' grey levels or colours, if those are not 0, 1..C and 255: `{255:
    defect}`, `{"128,0,0": cat}`. `background` and `ignore` are valid names, too."""
    negative: tuple[str, ...] = ()
    """Labels of images that show none of the classes, such as `[good]`; case does not matter.
    `background`, `none`, `nan` and the like always mean that."""
    other_classes: Literal["refuse", "leave_out"] = "refuse"
    """What to do with labels that are not in `classes`, or, if classes are found in the data, that
    only val has: stop with an error, or leave them out with a warning."""
    labels: Literal["annotations", "masks"] = "annotations"
    """Source of the image-level labels for `layout: voc`: `Annotations/`, and a `labels.csv` in the
    devkit for images without an annotation; or the ground truth, with a warning."""
    sbd: str | None = None
    """Folder of the Semantic Boundaries Dataset, for `layout: voc`. `null`: `SBD`, `sbd` or
    `benchmark_RELEASE` in or beside the devkit."""
    scenes: SceneSettings = SceneSettings()

    @field_validator("classes")
    @classmethod
    def _usable(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if wrong := unusable_names(names or ()):
            raise ValueError(f"not usable as a class name: {', '.join(map(repr, wrong))}")
        return names

    @model_validator(mode="before")
    @classmethod
    def _layout_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        own = LAYOUT_DEFAULTS.get(values.get("layout", "voc"), {})
        if values.get("layout") == "scenes":
            strange = [key for key in own if key in values and not _same(values[key], own[key])]
            if strange:
                raise ValueError(
                    f"layout: scenes has its own {' and '.join(strange)}; leave them out"
                )
        return own | values

    @model_validator(mode="after")
    def _fits_its_layout(self) -> "DataSettings":
        if self.train == self.val:
            raise ValueError(f"train and val are both '{self.val}'; expected two lists")
        if self.labels == "masks" and self.classes is None:
            raise ValueError("labels: masks needs classes, in the order of the masks' values")
        if self.layout != "voc" and (self.labels == "masks" or self.sbd is not None):
            raise ValueError("labels: masks and sbd belong to layout: voc")
        return self


class SubmissionSettings(Section):
    """Test images of PASCAL VOC, for `submission.tar.gz` only. See docs/guides/voc_and_coco.md."""

    list: str = "test"
    """Name of the list of test images, `ImageSets/Segmentation/<list>.txt`."""
    root: str | None = None
    """Folder of the devkit with the test images. `null`: that of the data set."""


def _same(value: Any, own: Any) -> bool:
    return value == own or (isinstance(value, list) and tuple(value) == own)
