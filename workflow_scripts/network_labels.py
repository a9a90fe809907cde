"""Labels of one shard of the training images by the trained network, from each image's classes.

Resumes where it was killed.
"""

import argparse
import json

from getam_core.data import of_split, read_index
from getam_core.files import digest
from getam_core.inference.network_labels import label_split
from getam_core.inference.single_stage import SingleStage
from getam_core.networks import load_network, read_classes, read_supervision
from getam_core.processes import Workers
from getam_core.stores import StoreWriter, write_in_parts
from workflow_scripts import command, shards
from workflow_scripts.data_set import digest_of_labels


def main(arguments: argparse.Namespace) -> None:
    predict = command.settings_of(arguments).predict
    listed = of_split(read_index(arguments.index), arguments.split)
    entries = shards.shard_of(listed, arguments)
    classes = read_classes(arguments.checkpoint)
    network = load_network(arguments.checkpoint).to(command.torch_device(arguments))
    predictor = SingleStage(network, sizes=predict.sizes, flip=predict.flip)
    made_from = {
        "method": "network",
        "checkpoint": digest(arguments.checkpoint),
        "supervision": read_supervision(arguments.checkpoint),
        "labels": digest_of_labels(listed),
    }
    header = json.loads(arguments.settings) | {"made_from": made_from}
    recipe = predict.crf_recipe if predict.crf else None
    with Workers(arguments.threads) as workers:

        def write(writer: StoreWriter, chosen: slice) -> None:
            options = {"classes": classes, "recipe": recipe, "workers": workers}
            label_split(predictor, entries[chosen], writer, **options)

        ids = [entry.image_id for entry in entries]
        parts = {"state": arguments.state, "part": command.PART}
        write_in_parts(arguments.out, "labels", classes, header, ids, write, **parts)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        checkpoint="checkpoint.pt",
        state="folder of finished parts, kept when the job fails",
        out="network.h5 of the shard",
    )
    shards.add_shard(arguments_parser, splits=["train"])
    command.run(main, arguments_parser)
