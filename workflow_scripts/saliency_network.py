"""The saliency network that a run's settings describe."""

from getam_core.networks.normalisation import resolved
from getam_core.saliency import SaliencyNetwork, build_encoder
from getam_core.settings import Settings


def build_saliency_network(settings: Settings, *, initial_weights: bool) -> SaliencyNetwork:
    """Build it with the encoder's initial weights, to be trained, or without, to be loaded."""
    encoder = settings.saliency.encoder.model_dump()
    if not initial_weights:
        encoder = resolved(encoder) | {"weights": None}
    return SaliencyNetwork(build_encoder(**encoder), settings.saliency.width)
