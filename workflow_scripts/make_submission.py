"""Pack the predictions of the test images for PASCAL VOC's evaluation server."""

import argparse
import logging

from getam_core.classes import VOC_CLASSES
from getam_core.data import of_split, read_index
from getam_core.evaluation import write_submission
from getam_core.files import write_json
from getam_core.stores import open_store
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    predictions = open_store(arguments.predictions, "predictions")
    image_ids = [entry.image_id for entry in of_split(read_index(arguments.index), "test")]
    if predictions.classes != VOC_CLASSES:
        logging.warning(
            "the server expects VOC's 20 classes in their order; these are %s",
            ", ".join(predictions.classes),
        )
    write_submission(arguments.out, predictions, image_ids)
    record = {
        "run": arguments.run,
        "classes": predictions.classes,
        "images": len(image_ids),
        "settings": predictions.settings["predict"],
        "method": arguments.method,
    }
    write_json(arguments.record, record)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv of the test images",
        predictions="predictions.h5",
        out="submission.tar.gz",
        record="record of how it was made, JSON",
    )
    arguments_parser.add_argument("--run", required=True)
    arguments_parser.add_argument(
        "--method", required=True, help="method whose labels the network was trained on"
    )
    command.run(main, arguments_parser)
