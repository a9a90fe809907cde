"""The section of saliency."""

from typing import Literal

from pydantic import Field

from getam_core.settings.base import Count, Positive, ScaleRange, Section
from getam_core.settings.networks import EncoderSettings


class SaliencySettings(Section):
    """Class-agnostic saliency maps of the training images: where something stands out.

    The paper takes them from a network trained on other images with class-agnostic masks.
    """

    source: Literal["network", "precomputed", "rembg", "none"] = "network"
    """Where the maps come from: a network that is trained here; maps that you have; the library
    rembg; or nowhere. `none` sets `saliency: false` in `train.labels` and `pseudo_labels`."""
    folder: str | None = None
    """Folder of the maps for `source: precomputed`: one grey image `<image_id>.*` for every
    training image, of any size, 8 or 16 bits."""
    rembg_model: str = "u2net"
    """Name of rembg's network for `source: rembg`. rembg downloads it into `~/.u2net`. Install it
    by `.venv/bin/uv pip install -c requirements.lock -e '.[rembg]'`."""
    network: str | None = None
    """Trained network to take instead of training one, for `source: network`: another run's
    `results/<other run>/saliency/network.pt`, which the workflow makes if it is missing. It must
    have the same `encoder` and `width`. `null`: the run's own."""
    images: str | None = None
    """Folder to train the network on, for `source: network`: `images/` and `masks/`, or
    `DUTS-TR-Image/` and `DUTS-TR-Mask/`, with the same file names. `layout: scenes` has its own."""
    encoder: EncoderSettings = EncoderSettings()
    """Network whose maps are fused to one logit per pixel."""
    width: Count = 64
    """Channels inside the decoder."""
    size: Count = 224
    """Side of a training crop and long side of the images whose maps are made, px: a multiple of
    `encoder.max_stride`."""
    scale_range: ScaleRange = (224, 288)
    """Range of the random long side before an image is cropped, px."""
    epochs: Count = 20
    """Number of epochs."""
    batch_size: Count = 8
    """Number of crops in a step."""
    learning_rate: Positive = 1e-3
    """Highest learning rate of the decoder (AdamW, warm-up, then poly 0.9)."""
    encoder_rate: Positive = 0.1
    """Factor on the learning rate for the encoder; use 1 with random weights."""
    held_out: float = Field(0.1, gt=0, lt=1)
    """Share of the images on which the network is measured instead of trained."""
    precision: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    """Number format of the forward pass in training, as `train.precision`."""
    checkpoint_minutes: Positive = 10.0
    """Minutes between saves of the training state. It is also saved after every epoch and when
    training is stopped."""
