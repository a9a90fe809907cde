"""Label maps predicted by the retrained DeepLabv2 for one split, without and with a dense CRF."""

import argparse
from contextlib import nullcontext

from getam_core.data import of_split, read_index
from getam_core.deeplab import load_deeplab
from getam_core.inference.deeplab import DeepLab
from getam_core.inference.predictions import predict_split
from getam_core.stores import StoreWriter
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    test = command.settings_of(arguments).deeplab_test
    entries = of_split(read_index(arguments.index), arguments.split)
    device = command.torch_device(arguments)
    trained = load_deeplab(arguments.checkpoint)
    predictor = DeepLab(trained.network.to(device), scales=test.scales, flip=test.flip)

    def writer(name: str, crf: bool) -> StoreWriter:
        header = {
            "deeplab": trained.settings["deeplab"],
            "deeplab_test": test.model_dump(mode="json") | {"crf": crf},
            "labels": trained.labels,
        }
        return StoreWriter(arguments.out / name, "predictions", trained.classes, header)

    with_crf = writer("predictions_crf.h5", crf=True) if test.crf else nullcontext()
    with writer("predictions.h5", crf=False) as plain, with_crf as smoothed:
        predict_split(predictor, entries, plain, smoothed, workers=arguments.threads)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__, index="index.csv", checkpoint="checkpoint.pt", out="folder of the predictions"
    )
    arguments_parser.add_argument("--split", required=True, choices=("train", "val"))
    command.run(main, arguments_parser)
