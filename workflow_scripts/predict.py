"""Label maps predicted by the segmentation head, and class scores, for one shard of a split.

Resumes where it was killed.
"""

import argparse
import json

from getam_core.files import digest
from getam_core.inference.predictions import predict_split
from getam_core.inference.single_stage import SingleStage
from getam_core.networks import load_network, read_classes
from getam_core.processes import Workers
from getam_core.stores import StoreWriter, write_in_parts
from workflow_scripts import command, shards


def main(arguments: argparse.Namespace) -> None:
    predict = command.settings_of(arguments).predict
    entries = shards.entries_of(arguments)
    device = command.torch_device(arguments)
    network = load_network(arguments.checkpoint).to(device)
    predictor = SingleStage(network, sizes=predict.sizes, flip=predict.flip)
    header = json.loads(arguments.settings) | {"checkpoint": digest(arguments.checkpoint)}
    with Workers(arguments.threads) as workers:

        def write(writer: StoreWriter, chosen: slice) -> None:
            plain, smoothed = (None, writer) if predict.crf else (writer, None)
            options = {"recipe": predict.crf_recipe, "workers": workers}
            predict_split(predictor, entries[chosen], plain, smoothed, **options)

        write_in_parts(
            arguments.out,
            "predictions",
            read_classes(arguments.checkpoint),
            header,
            [entry.image_id for entry in entries],
            write,
            state=arguments.state,
            part=command.PART,
        )


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        checkpoint="checkpoint.pt",
        state="folder of finished parts, kept when the job fails",
        out="predictions.h5 of the shard",
    )
    shards.add_shard(arguments_parser, splits=("train", "val", "test"))
    command.run(main, arguments_parser)
