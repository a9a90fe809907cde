"""RGB arrays to tensors and back."""

import numpy as np
import torch
from torch import Tensor


def to_tensor(image: np.ndarray) -> Tensor:
    """Turn (H, W, 3) uint8 RGB into (3, H, W) float32, 0..1."""
    return torch.from_numpy(image).permute(2, 0, 1).contiguous().float().div_(255)


def to_uint8(image: Tensor) -> np.ndarray:
    """Turn (3, H, W) float RGB, 0..1, into (H, W, 3) uint8; values outside are clipped."""
    scaled = image.detach().clamp(0, 1).mul(255).round().to(torch.uint8)
    return scaled.permute(1, 2, 0).contiguous().cpu().numpy()
