"""All settings of a run.

Sections follow the stages of the workflow: a stage reruns exactly when its own sections change
(`Settings.select`), except for the keys in `SAVING` and, if it opens no masks, `GROUND_TRUTH`.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from getam_core.settings.base import Count, Section
from getam_core.settings.data import DataSettings, SubmissionSettings
from getam_core.settings.deeplab import DeepLabSettings, DeepLabTestSettings
from getam_core.settings.evaluation import AblationSettings, EvaluateSettings, PredictSettings
from getam_core.settings.labels import ExportedLabelSettings
from getam_core.settings.maps import ExportedGetamSettings, MapSettings, Method
from getam_core.settings.networks import ClassifierSettings, ModelSettings
from getam_core.settings.saliency import SaliencySettings
from getam_core.settings.tables import TablesSettings
from getam_core.settings.training import TrainSettings

SWEEPS = ("alpha", "gamma", "refinement", "completion")
MAP_STUDIES = ("fusion", "blocks")
# When a training's states are saved, from which one it starts, or which network replaces it; not
# what is trained.
SAVING = {
    "saliency": {"checkpoint_minutes", "network"},
    "train": {"checkpoint_minutes", "keep_last", "keep_best", "resume_from"},
    "deeplab": {"checkpoint_minutes"},
}
# How masks are found and read: for the stages that open them, or use what is read from them.
GROUND_TRUTH = {"data": {"masks", "mask_values"}}


class Settings(Section):
    """All settings of a run: what `config/<run>.yaml` and `--config` may set."""

    data_root: Path | None = None
    """Folder of the data set; `{data_root}` in any text stands for it. Not needed for `layout:
    scenes` or if `data.root` is set, unless a path uses it."""
    title: str | None = None
    """Name of the data set in `miou.json` and the report. `null`: the layout."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device of the stages that compute. `auto`: a GPU if there is one where the stage runs. Stages
    of `auto` and `cuda` ask for `gpu=1`."""
    gpus: Count = 1
    """Number of GPUs of a training, one process each; start with `--resources gpu=N`. The batch is
    divided among them, and the losses stay those of one GPU. A change reruns nothing. See
    docs/guides/gpus.md."""
    nodes: Count = 1
    """Number of nodes of a Slurm cluster on which a training runs, each with `gpus` / `nodes` GPUs.
    A change reruns nothing."""
    seed: int = Field(0, ge=0)
    """Random seed of initial weights, crops, their order, and the held-out saliency images."""
    shard_size: Count = 2000
    """Number of images in a shard of maps, labels, predictions and figures. Each shard is a job,
    which is resumed if interrupted. A change makes them again, but reruns no training, except one
    on label maps of a run whose number of shards changes (`train.label_maps`, DeepLabv2)."""
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    classifiers: ClassifierSettings = ClassifierSettings()
    saliency: SaliencySettings = SaliencySettings()
    train: TrainSettings = TrainSettings()
    maps: MapSettings = MapSettings()
    getam: ExportedGetamSettings = ExportedGetamSettings()
    pseudo_labels: ExportedLabelSettings = ExportedLabelSettings()
    predict: PredictSettings = PredictSettings()
    submission: SubmissionSettings = SubmissionSettings()
    deeplab: DeepLabSettings = DeepLabSettings()
    deeplab_test: DeepLabTestSettings = DeepLabTestSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    ablation: AblationSettings = AblationSettings()
    tables: TablesSettings = TablesSettings()

    @property
    def own_method(self) -> Method:
        """The method whose maps of the run's own network become the exported labels."""
        if self.train.method == "afa":
            return self.train.maps.method
        return "cnn_cam" if self.model.name is None else "getam"

    @model_validator(mode="before")
    @classmethod
    def _labels_without_saliency(cls, values: Any) -> Any:
        """Let `saliency.source: none` turn saliency off in both kinds of labels."""
        if not isinstance(values, dict) or _source(values) != "none":
            return values
        train = values.get("train") or {}
        if not isinstance(train, dict):
            return values
        train = train | {"labels": _without_saliency(train.get("labels"), "train.labels")}
        own = _without_saliency(values.get("pseudo_labels"), "pseudo_labels")
        return values | {"train": train, "pseudo_labels": own}

    @model_validator(mode="after")
    def _nodes_are_alike(self) -> "Settings":
        if self.gpus % self.nodes:
            raise ValueError(
                f"gpus ({self.gpus}) cannot be divided among nodes ({self.nodes}): gpus counts"
                " those of all nodes together"
            )
        return self

    @model_validator(mode="after")
    def _crops_for_all(self) -> "Settings":
        parts = self.gpus * self.train.accumulate
        if parts > self.train.batch_size:
            raise ValueError(
                f"train.batch_size ({self.train.batch_size}) must be at least gpus x"
                f" train.accumulate ({self.gpus} x {self.train.accumulate})"
            )
        return self

    def select(self, *sections: str, ground_truth: bool = False) -> str:
        """Return the named sections as JSON with sorted keys: what one stage depends on.

        Without `ground_truth`, the keys in `GROUND_TRUTH` are left out.
        """
        left_out = SAVING if ground_truth else SAVING | GROUND_TRUTH
        chosen = self.model_dump(mode="json", include=set(sections), exclude=left_out)
        return json.dumps(chosen, sort_keys=True)

    def saving(self, section: str) -> str:
        """Return the keys of `SAVING` of a section, in the same form."""
        chosen = self.model_dump(mode="json", include={section: SAVING[section]})
        return json.dumps(chosen, sort_keys=True)


def _source(values: dict[str, Any]) -> Any:
    saliency = values.get("saliency")
    return saliency.get("source") if isinstance(saliency, dict) else None


def _without_saliency(labels: Any, section: str) -> Any:
    labels = labels or {}
    if not isinstance(labels, dict):
        return labels
    if labels.get("saliency"):
        raise ValueError(f"{section}.saliency is true, but saliency.source is none")
    return labels | {"saliency": False}
