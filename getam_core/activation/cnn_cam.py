"""CAM of a CNN: the class weights of a linear head applied to its last map (Zhou et al. 2016).

The first row of GETAM's Table 1. Shapes: B images, C classes, M (image, class) pairs, E channels.
"""

import torch
from torch import Tensor, nn

from getam_core.activation.models import check_images, logits_of
from getam_core.activation.passes import check_targets, pairs_of
from getam_core.activation.tape import for_maps
from getam_core.errors import InputError

PARTS = ("forward_features", "forward_head", "get_classifier")  # of every CNN of timm


@torch.no_grad()
def cnn_cam(
    model: nn.Module, images: Tensor, targets: Tensor, *, check: bool = True
) -> tuple[Tensor, Tensor]:
    """Apply the class head's weights to the last feature map: `relu(sum_e w_ce f_e)`.

    Parameters
    ----------
    model : nn.Module
        A CNN of timm, or `ConvolutionalClassifier`, whose logits are a linear layer of the last
        map's mean (ResNet, EfficientNet, RegNet, DenseNet, ...).
    images : (B, 3, H, W) Tensor
        As the model expects them.
    targets : (B, C) bool Tensor
    check : bool
        Also compare the logits with the mean of the maps; see `getam`.

    Returns
    -------
    maps : (M, h, w) Tensor, in the order of `targets.nonzero()`, not negative, not normalised.
    logits : (B, C) Tensor, detached.

    Raises
    ------
    InputError
        The model is not such a CNN; images or targets do not fit; logits are not finite.
    """
    check_images(model, images)
    classifier = _classifier(model)
    with for_maps(model, images) as anchored, torch.no_grad():
        features = model.forward_features(anchored)
        logits = logits_of(model.forward_head, features, check=check)
    image_M, class_M = pairs_of(check_targets(logits, targets), logits.device)
    weight_CE, features = classifier.weight.flatten(1).float(), features.float()
    if features.ndim != 4 or features.shape[1] != weight_CE.shape[1]:
        raise _refusal(model, f"its features are {tuple(features.shape)}")
    maps_BChw = torch.einsum("ce,behw->bchw", weight_CE, features)
    mean_BC = maps_BChw.mean((2, 3))
    if classifier.bias is not None:
        mean_BC = mean_BC + classifier.bias.float()
    if check and not _agree(mean_BC, logits, maps_BChw):
        raise _refusal(model, "other layers lie between its last map and its logits")
    return maps_BChw.relu()[image_M, class_M], logits


def _agree(mean_BC: Tensor, logits_BC: Tensor, maps_BChw: Tensor) -> bool:
    """Return whether two readings of the logits differ by 2 % at most."""
    scale = maps_BChw.abs().mean((2, 3)).max()  # a logit may be near zero where maps are not
    return bool(((mean_BC - logits_BC).abs() <= 0.02 * (logits_BC.abs() + scale)).all())


def _classifier(model: nn.Module) -> nn.Module:
    """Return the linear layer of the head."""
    if not all(hasattr(model, part) for part in PARTS):
        raise _refusal(model, f"it has no {', '.join(PARTS)}")
    classifier = model.get_classifier()
    if not isinstance(classifier, (nn.Linear, nn.Conv2d)):
        raise _refusal(model, f"its head is {type(classifier).__name__}")
    return classifier


def _refusal(model: nn.Module, reason: str) -> InputError:
    return InputError(
        f"{type(model).__name__} is not a CNN with a linear head on pooled features"
        f" ({reason}); use one of timm's, for instance resnet50"
    )
