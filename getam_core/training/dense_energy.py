"""Dense energy: pixels of similar colour and place should share a label (Tang et al. 2018).

Shapes: B images, C + 1 channels of the segmentation, H, W pixels, N of them at the size used.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

AFFINITIES = 2**24  # in memory at once: 64 MB


@dataclass(frozen=True)
class DenseEnergy:
    """The kernel exp(-|dx|^2 / (2 sigma_xy^2) - |dI|^2 / (2 sigma_rgb^2)), and its scale.

    `sigma_rgb` is in grey levels of 255, `sigma_xy` in pixels at the images' full size; the energy
    is computed from images and probabilities at `scale` times that size.
    """

    sigma_rgb: float = 15.0
    sigma_xy: float = 100.0
    scale: float = 0.5

    def __call__(self, images: Tensor, segmentation: Tensor, valid: Tensor) -> Tensor:
        """Return the energy of each image: `sum_ij w_ij (1 - <p_i, p_j>)` over its valid pixels.

        Every ordered pair counts, also a pixel with itself. The sum is of the order of N squared:
        the released code gives it a weight of 1e-7.

        Parameters
        ----------
        images : (B, 3, H, W) Tensor
            RGB 0..1.
        segmentation : (B, C + 1, H, W) Tensor
            Logits.
        valid : (B, H, W) bool Tensor
            False in padding.

        Returns
        -------
        (B,) Tensor, non-negative.
        """
        with torch.autocast(images.device.type, enabled=False):
            size = [max(1, round(self.scale * side)) for side in images.shape[-2:]]
            precise = torch.promote_types(segmentation.dtype, torch.float32)
            probabilities = segmentation.to(precise).softmax(1)
            own, small, inside = (
                F.interpolate(plane.to(precise), size, mode="area")
                for plane in (probabilities, images, valid[:, None])
            )
            counted = inside == 1
            p = (own * counted).flatten(2).transpose(1, 2)  # (B, N, C + 1)
            total, like = _Pairs.apply(self._features(small), p, counted.flatten(1).to(precise))
            return total - like

    def _features(self, images: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, N, 5): colours and places in units of their deviations."""
        h, w = images.shape[-2:]
        sides = [torch.arange(side, dtype=images.dtype, device=images.device) for side in (h, w)]
        places = torch.stack(torch.meshgrid(*sides, indexing="ij")) / (self.scale * self.sigma_xy)
        colours = images * (255 / self.sigma_rgb)
        both = torch.cat([colours, places.expand(len(images), -1, -1, -1)], 1)
        return both.flatten(2).transpose(1, 2)


class _Pairs(torch.autograd.Function):
    """Sums over all pairs: `sum_ij w_ij v_i v_j` and `sum_ij w_ij <p_i, p_j>`, (B,) each.

    The sums are exact. A few rows of the kernel are computed at a time, so memory stays linear in
    the number of pixels. The gradient, `2 W p`, is computed in the same sweep.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, p: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        values = torch.cat([p, valid[..., None]], 2)
        filtered = torch.stack([_filter(*image) for image in zip(features, values, strict=True)])
        smooth, weight = filtered[..., :-1], filtered[..., -1]
        ctx.save_for_backward(smooth)
        return (weight * valid).sum(1), (smooth * p).sum((1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _total: Tensor, like: Tensor) -> tuple[None, Tensor, None]:
        (smooth,) = ctx.saved_tensors
        return None, 2 * like[:, None, None] * smooth, None


def _filter(features: Tensor, values: Tensor) -> Tensor:
    """Return W values, (N, K), of one image; features (N, 5), values (N, K)."""
    half = 0.5 * features.square().sum(1)  # -|a - b|^2 / 2 = <a, b> - |a|^2 / 2 - |b|^2 / 2
    rows = max(1, AFFINITIES // len(features))
    parts = zip(features.split(rows), half.split(rows), strict=True)
    return torch.cat(
        [
            torch.addmm(-half[None], part, features.T).sub_(own[:, None]).exp_() @ values
            for part, own in parts
        ]
    )
