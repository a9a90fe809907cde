"""Label maps predicted by the segmentation head, and class scores, for one split."""

import argparse
import json

from getam_core.data import of_split, read_index
from getam_core.inference.predictions import predict_split
from getam_core.inference.single_stage import SingleStage
from getam_core.networks import load_network, read_classes
from getam_core.stores import StoreWriter
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    entries = of_split(read_index(arguments.index), arguments.split)
    classes = read_classes(arguments.checkpoint)
    device = command.torch_device(arguments)
    predict = settings.predict
    network = load_network(arguments.checkpoint).to(device)
    predictor = SingleStage(network, sizes=predict.sizes, flip=predict.flip)
    header = json.loads(arguments.settings)
    with StoreWriter(arguments.out, "predictions", classes, header) as writer:
        plain, smoothed = (None, writer) if predict.crf else (writer, None)
        options = {"recipe": predict.crf_recipe, "workers": arguments.threads}
        predict_split(predictor, entries, plain, smoothed, **options)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__, index="index.csv", checkpoint="checkpoint.pt", out="predictions.h5"
    )
    arguments_parser.add_argument("--split", required=True, choices=("train", "val", "test"))
    command.run(main, arguments_parser)
