"""A saliency network: a CNN's feature maps, fused from coarse to fine into one logit per pixel.

Shapes: B images, H, W pixels.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from getam_core.checkpoint import load_checkpoint
from getam_core.errors import InputError
from getam_core.networks import FusionDecoder, Stem
from getam_core.networks.stem import Normalise
from getam_core.precision import products_of_inference
from getam_core.resizing import resize_tensor


class SaliencyNetwork(nn.Module):
    """A small U-shaped network: an encoder and a plain fusion decoder.

    Parameters
    ----------
    encoder : Stem
        Feature maps at strides 4 and coarser, of images 0..1; it normalises itself.
    width : int
        Channels inside the decoder.
    """

    def __init__(self, encoder: Stem, width: int):
        super().__init__()
        self.encoder = encoder
        self.decoder = FusionDecoder(encoder.channels, width, 1)

    @property
    def stride(self) -> int:
        """Sides of the images must be multiples of this many pixels."""
        return self.encoder.stride

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters in the groups that have learning rates of their own."""
        parts = {"encoder": self.encoder, "decoder": self.decoder}
        return {name: list(part.parameters()) for name, part in parts.items()}

    def forward(self, images: Tensor) -> Tensor:
        """Return saliency logits, (B, H, W), of images (B, 3, H, W), RGB 0..1."""
        # Channels last: the same results, and convolutions a fifth faster on a CPU.
        images = images.contiguous(memory_format=torch.channels_last)
        logits = self.decoder(self.encoder(images))  # (B, 1, H/2, W/2)
        return resize_tensor(logits, images.shape[-2:])[:, 0]


@torch.no_grad()
def predict_saliency(network: SaliencyNetwork, images: Tensor) -> Tensor:
    """Return the saliency of images as it is stored: (B, H, W) uint8 on the CPU, 0..255.

    `images` is (B, 3, H, W), RGB 0..1, on any device. The network's mode is left unchanged:
    call `.eval()` first.
    """
    device = next(network.parameters()).device
    with products_of_inference(device):
        logits = network(images.to(device)).float()
    return logits.sigmoid().mul(255).round().to(torch.uint8).cpu()


def load_saliency(path: Path | str, network: SaliencyNetwork) -> SaliencyNetwork:
    """Load what `train_saliency` wrote into a network of the same settings; set eval mode.

    It normalises as in training; if the file has no `normalise`, as its settings say.

    Raises
    ------
    InputError
        The file is missing, unreadable, or of a network with other settings.
    """
    try:
        content = load_checkpoint(Path(path))
        network.load_state_dict(content["model"])
    except (KeyError, RuntimeError):
        raise InputError(
            f"{path}: not a saliency network of these settings (encoder, width); train it again"
        ) from None
    if "normalise" in content:
        network.encoder.normalise = Normalise(**content["normalise"])
    return network.eval()
