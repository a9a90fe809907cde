"""Train the saliency network on a folder of images and foreground masks."""

import argparse

import command

from getam_core.saliency import find_pairs


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    pairs = find_pairs(arguments.images)
    device = command.torch_device(arguments)

    from getam_core.saliency import SaliencyNetwork, train_saliency
    from getam_core.vit import build_stem

    saliency = settings.saliency
    stem = saliency.encoder.model_dump() | {"weights": settings.path(saliency.encoder.weights)}
    train_saliency(
        pairs,
        SaliencyNetwork(build_stem(**stem), saliency.width),
        size=saliency.size,
        scale_range=saliency.scale_range,
        epochs=saliency.epochs,
        batch_size=saliency.batch_size,
        learning_rate=saliency.learning_rate,
        encoder_rate=saliency.encoder_rate,
        held_out=saliency.held_out,
        seed=settings.seed,
        workers=arguments.threads if device.type == "cuda" else 0,
        out=arguments.out,
        state=arguments.state,
        device=device,
    )


if __name__ == "__main__":
    command.run(
        main,
        command.parser(
            __doc__,
            images="folder with images/ and masks/",
            out="network.pt",
            state="resume state, kept when the job fails",
        ),
    )
