"""Label maps predicted by the retrained DeepLabv2 for one shard, without and with a dense CRF.

Resumes where it was killed.
"""

import argparse
from collections.abc import Sequence

from getam_core.deeplab import load_deeplab
from getam_core.files import digest
from getam_core.inference.deeplab import DeepLab
from getam_core.inference.predictions import predict_split
from getam_core.processes import Workers
from getam_core.stores import Output, StoreWriter, write_together_in_parts
from workflow_scripts import command, shards


def main(arguments: argparse.Namespace) -> None:
    test = command.settings_of(arguments).deeplab_test
    entries = shards.entries_of(arguments)
    device = command.torch_device(arguments)
    trained = load_deeplab(arguments.checkpoint)
    predictor = DeepLab(trained.network.to(device), scales=test.scales, flip=test.flip)

    def output(name: str, crf: bool) -> Output:
        header = {
            "deeplab": trained.settings["deeplab"],
            "deeplab_test": test.model_dump(mode="json") | {"crf": crf},
            "labels": trained.labels,
            "checkpoint": digest(arguments.checkpoint),
        }
        return Output(arguments.out / name, "predictions", trained.classes, header)

    outputs = [output("predictions.h5", crf=False)]
    if test.crf:
        outputs.append(output("predictions_crf.h5", crf=True))
    with Workers(arguments.threads) as workers:

        def write(writers: Sequence[StoreWriter], chosen: slice) -> None:
            plain, smoothed = writers if test.crf else (*writers, None)
            predict_split(predictor, entries[chosen], plain, smoothed, workers=workers)

        ids = [entry.image_id for entry in entries]
        options = {"state": arguments.state, "part": command.PART}
        write_together_in_parts(outputs, ids, write, **options)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        checkpoint="checkpoint.pt",
        state="folder of finished parts, kept when the job fails",
        out="folder of the shard's predictions",
    )
    shards.add_shard(arguments_parser)
    command.run(main, arguments_parser)
