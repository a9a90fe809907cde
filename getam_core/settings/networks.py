"""The sections of the networks: a CNN stem, the saliency encoder, the segmentation network."""

from typing import Any, Literal

from pydantic import Field, model_validator

from getam_core.settings.base import Count, Positive, Section


class StemSettings(Section):
    """A CNN whose feature maps feed a transformer or a decoder."""

    name: str
    """Name of the network in its library. For timm: one that returns maps (channels, rows, columns)
    for any image size, which window transformers do not. For torchvision: one with `features`."""
    library: Literal["timm", "torchvision"] = "timm"
    """Library that builds the network."""
    weights: str | None = None
    """Initial weights: `hub` to download them, a safetensors or torch file, or `null` for
    random."""
    max_stride: Literal[8, 16, 32] = 16
    """Stride of the coarsest map, px; later layers are left out. Sides of crops must be multiples
    of it."""
    dilated: bool = False
    """Whether to keep the later layers, dilated, at the same stride. For timm's ResNets and the
    like."""
    mean: tuple[float, float, float] | None = None
    """Mean of each channel, in the network's channel order, for images in 0..1. It is subtracted.
    `null`: what the library gives for its weights of this `name`; with random weights, ImageNet's:
    0.485, 0.456, 0.406."""
    std: tuple[Positive, Positive, Positive] | None = None
    """Standard deviation of each channel, for images in 0..1. The image is divided by it. `null`:
    as for `mean`; ImageNet's are 0.229, 0.224, 0.225."""
    bgr: bool = False
    """Whether the network was trained on BGR instead of RGB."""
    pad: int = Field(0, ge=0)
    """Zeros around the normalised image, px, for networks without padding of their own. The error
    message says how many are needed."""
    feature_scale: Positive | tuple[Positive, ...] = 1.0
    """Factor on the maps from stride 4 on, one for all or one for each map, where features are far
    from unit size."""


class ModelSettings(Section):
    """The network: a transformer, a CNN, or a transformer on a CNN; and a DPT decoder.

    The transformer is a timm `VisionTransformer` with a [class] token. DPT: Ranftl et al. 2021,
    Section 3. A CNN alone is `name: null`, `weights: null` and a `stem`;
    `options`, `taps` and `head` keep their defaults then.
    """

    name: str | None = "vit_base_patch16_384"
    """Name of the transformer in timm. The paper's four: this, `vit_base_r50_s16_384` (ViT-Hybrid),
    `deit_base_patch16_384`, `deit_base_distilled_patch16_384`. AFA's: `mit_b0` to `mit_b5`, with
    `head: max_pooled`; they read only `options` (of mmsegmentation's `MixVisionTransformer`),
    `weights`, `decoder_width` (of SegFormer's head) and `affinity_blocks`. `null`: the CNN of
    `stem` is the whole backbone, and exported labels are made from the maps of `cnn_cam`."""
    image_size: Count = 256
    """Image side for which the position embedding is made, px. It is resampled for other sizes."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Arguments of timm's `VisionTransformer`: `embed_dim`, `depth`, `num_heads`, `patch_size`,
    `drop_path_rate`, ...; but not `img_size`, `in_chans`, `num_classes`, `dynamic_img_size` and
    `patch_drop_rate`."""
    weights: str | None = "hub"
    """Initial weights: `hub` to download them; a safetensors, torch or timm npz file; or `null` for
    random. A Mix Transformer has no hub; give its official file, such as `mit_b1.pth`. Must be
    `null` with a `stem`, which has its own."""
    stem: StemSettings | None = None
    """A CNN whose last map the transformer reads instead of the image, one token per cell."""
    decoder_width: Count = 256
    """Channels inside the decoder."""
    decoder_stride: Literal[2, 4, 8] = 4
    """Stride of the finest map that the decoder reads, px. The head works at that stride. DPT has
    4. The maps of a stem begin at 4."""
    decoder_kernel: Literal[1, 3] = 3
    """Side of the convolutions that bring each map to the decoder's width, cells. DPT has 3."""
    taps: tuple[int, ...] | None = None
    """Blocks whose tokens the decoder reads: increasing numbers from 0. `null`: four, spread over
    the depth (2, 5, 8, 11 of 12 blocks), of which the maps of a CNN replace the first ones."""
    readout: Literal["project", "add", "ignore"] = "project"
    """What the decoder does with the [class] token."""
    head: Literal["class", "pooled", "ts_cam", "max_pooled"] = "class"
    """What the class logits are computed from: the [class] token; the mean of the last reassembled
    map (the released code); the mean of a convolution of the patch tokens (TS-CAM); or, by a linear
    layer without bias, each feature's maximum over the patches (AFA). Only `class` allows the
    methods `cam_ignore` and `cam_add`; leave them out of `evaluate.seeds` otherwise."""
    affinity_blocks: int = Field(0, ge=0)
    """Number of last blocks from whose attention `train.method: afa` learns affinity. AFA has 2."""

    @model_validator(mode="after")
    def _one_source_of_weights(self) -> "ModelSettings":
        if self.stem is not None and self.weights is not None:
            raise ValueError("weights must be null with a stem, which has its own weights")
        return self

    @model_validator(mode="after")
    def _a_mix_transformer(self) -> "ModelSettings":
        if self.name is None or not self.name.startswith("mit_b"):
            return self
        if self.head != "max_pooled" or self.stem is not None:
            raise ValueError(f"{self.name} is AFA's: set head to max_pooled and stem to null")
        if self.weights == "hub":
            raise ValueError(
                f"{self.name} has no weights on the hub: give a file, {self.name}.pth, or null"
            )
        return self

    @model_validator(mode="after")
    def _a_backbone(self) -> "ModelSettings":
        if self.name is not None:
            return self
        if self.stem is None:
            raise ValueError("name is null, so the CNN of stem is the backbone: set stem")
        if self.options or self.taps is not None or self.head != "class":
            raise ValueError("options, taps and head belong to a transformer, but name is null")
        return self


class ClassifierSettings(Section):
    """Networks that are trained only to classify, for `cnn_cam` and `ts_cam`.

    They are trained when their maps are asked for (`evaluate.seeds`, `ablation/maps.json`), with
    the settings of `train`. TS-CAM takes the run's network with `head: ts_cam`.
    """

    cnn: StemSettings | None = None
    """The CNN of `cnn_cam`. `null`: `model.stem`, which must then be set."""


class EncoderSettings(StemSettings):
    """The encoder of the saliency network."""

    name: str = "resnet18"
    """Name of the network in its library: a CNN, or a Swin (V2), ViT or DeiT of timm. The paper's
    is a Swin, `swin_tiny_patch4_window7_224`."""
    weights: str | None = "hub"
    """Initial weights: `hub` to download them, a safetensors or torch file, or `null` for
    random."""
    max_stride: Literal[8, 16, 32] = 32
    """Stride of the coarsest map, px. A ViT's is its patch, 8 or 16 px."""
