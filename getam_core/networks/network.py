"""One network with two outputs: class logits from the tokens, a segmentation from DPT.

Shapes: B images, C foreground classes, (H, W) pixels, (h, w) patches, N = h * w, T prefix tokens.
"""

from collections.abc import Sequence

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from getam_core.networks.affinity import AffinityHead
from getam_core.networks.backbone import normalisation
from getam_core.networks.dpt import DPT
from getam_core.networks.grid import patch_grid
from getam_core.networks.stem import Stem
from getam_core.resizing import resize_tensor


class SegmentationTransformer(nn.Module):
    """A ViT, its CNN stem if it has one, and a DPT decoder on their features.

    Parameters
    ----------
    vit : VisionTransformer
        With a [class] token; on the stem's last map when there is a stem.
    decoder : DPT
        C + 1 outputs, background first.
    taps : sequence of int
        Blocks whose tokens the decoder reads.
    stem : Stem or None
        CNN in front of the transformer, or None.
    stem_maps : int
        How many of the stem's maps before the last the decoder reads, counted from the coarse end.
    head : {"class", "pooled", "ts_cam", "max_pooled"}
        What the class logits are computed from.
        "class": the [class] token, by `vit`'s own head.
        "pooled": the mean of the last reassembled map, by a linear layer, as in GETAM's released
        code. `vit` then needs no head, and its last norm, which nothing reads, is removed.
        "ts_cam": a 3 x 3 convolution of the last patch tokens, whose mean is the logit (Gao et al.
        2021).
        "max_pooled": a linear layer without bias on the maximum of each feature over the last patch
        tokens, as in AFA (Ru et al. 2022); on each token it gives class maps, see `locate`.
    affinity_blocks : int
        How many of the last blocks the affinity head reads; 0 for none.
    """

    def __init__(
        self,
        vit: VisionTransformer,
        decoder: DPT,
        taps: Sequence[int],
        stem: Stem | None = None,
        stem_maps: int = 0,
        head: str = "class",
        affinity_blocks: int = 0,
    ):
        super().__init__()
        classes = decoder.outputs - 1
        self.vit, self.decoder, self.stem = vit, decoder, stem
        self.normalise = normalisation(vit) if stem is None else None
        self.class_maps = self.pooled = None
        if head == "ts_cam":
            self.class_maps = nn.Conv2d(vit.embed_dim, classes, 3, padding=1)
        elif head == "max_pooled":
            self.class_maps = nn.Conv2d(vit.embed_dim, classes, 1, bias=False)
        elif head == "pooled":
            self.pooled, vit.norm = nn.Linear(decoder.width, classes), nn.Identity()
        self.takes_maximum, self.affinity_blocks = head == "max_pooled", affinity_blocks
        self.affinity = None
        if affinity_blocks:
            last = vit.blocks[-affinity_blocks:]
            self.affinity = AffinityHead(sum(block.attn.num_heads for block in last))
        self.taps, self.stem_maps = list(taps), stem_maps
        self.stride = vit.patch_embed.patch_size[0] * (stem.stride if stem is not None else 1)

    @property
    def num_prefix_tokens(self) -> int:
        """T: the [class] token and any others before the patches (distillation, registers)."""
        return self.vit.num_prefix_tokens

    def grid(self, image_size: Sequence[int]) -> tuple[int, int]:
        """Return the grid (h, w) of patches for images of (H, W) pixels; see `patch_grid`."""
        return patch_grid(image_size, self.stride)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), RGB 0..1 -> class logits (B, C)."""
        grid = self.grid(images.shape[-2:])
        _, x = self._embed(images)
        if self.pooled is None:
            return self._classify(self.vit.forward_features(x), grid)
        _, tapped = self._tokens(x, self.taps[-1:])
        return self._classify_map(self.decoder.reassemble(tapped, grid)[-1])

    def classify_and_segment(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run one forward pass for both outputs.

        Parameters
        ----------
        images : (B, 3, H, W) Tensor
            RGB, 0..1; sides multiples of `stride`.

        Returns
        -------
        logits : (B, C) Tensor
            Class logits, the same as `forward` gives.
        segmentation : (B, C + 1, H, W) Tensor
            Logits of background and classes for every pixel, resized from the decoder's.
        """
        logits, segmentation = self.classify_and_decode(images)
        return logits, resize_tensor(segmentation, images.shape[-2:])

    def classify_and_decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Do the same without the final resizing: the segmentation is (B, C + 1, h', w')."""
        grid = self.grid(images.shape[-2:])
        stem_maps, x = self._embed(images)
        tokens, tapped = self._tokens(x, self.taps)
        maps = self.decoder.reassemble(tapped, grid)
        segmentation = self.decoder.fusion([*stem_maps, *maps])
        if self.pooled is None:
            return self._classify(tokens, grid), segmentation
        return self._classify_map(maps[-1]), segmentation

    def locate(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images -> class maps (B, C, h, w), of any sign, and logits (B, C); "max_pooled" only.

        The maps are CAM: the classifier applied to every patch instead of their maximum.
        """
        _, x = self._embed(images)
        patches = self._patches(self.vit.forward_features(x), self.grid(images.shape[-2:]))
        return self.class_maps(patches), self._classify_maximum(patches)

    def _embed(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the stem's maps for the decoder, and what the transformer cuts into patches."""
        if self.stem is None:
            return [], self.normalise(images)
        *finer, last = self.stem(images)
        return finer[len(finer) - self.stem_maps :], last

    def _tokens(self, x: Tensor, taps: Sequence[int]) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the last tokens (B, T + N, E), and the tapped (patches, prefix) before norms."""
        return self.vit.forward_intermediates(
            x, indices=list(taps), return_prefix_tokens=True, output_fmt="NLC"
        )

    def _classify_map(self, last_map: Tensor) -> Tensor:
        """Last reassembled map (B, F, h', w') -> class logits (B, C)."""
        return self.pooled(last_map.mean((2, 3)))

    def _classify(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, T + N, E) after the last norm -> class logits (B, C)."""
        if self.class_maps is None:
            return self.vit.forward_head(tokens)
        patches = self._patches(tokens, grid)
        if self.takes_maximum:
            return self._classify_maximum(patches)
        return self.class_maps(patches).mean((2, 3))

    def _patches(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, T + N, E) -> patches (B, E, h, w)."""
        return tokens[:, self.num_prefix_tokens :].transpose(1, 2).unflatten(2, grid)

    def _classify_maximum(self, patches: Tensor) -> Tensor:
        return self.class_maps(patches.amax((2, 3), keepdim=True)).flatten(1)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all parameters once: "backbone" (transformer), "stem", "heads" (new layers)."""
        heads = nn.ModuleList([self.decoder, self.vit.head])
        if hasattr(self.vit, "head_dist"):
            heads.append(self.vit.head_dist)
        own = (self.class_maps, self.pooled, self.affinity)
        heads.extend(head for head in own if head is not None)
        in_heads = {id(p) for p in heads.parameters()}
        return {
            "backbone": [p for p in self.vit.parameters() if id(p) not in in_heads],
            "stem": list(self.stem.parameters()) if self.stem is not None else [],
            "heads": list(heads.parameters()),
        }
