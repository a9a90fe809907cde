"""Workers of a loader: they end with their process, however that ends."""

import signal

import pytest

from getam_core.data.loader import image_loader
from tests.training_kit import end_of, signal_group

KEPT = []  # never closed


def keep_open():
    batches = iter(image_loader([0.0] * 64, batch_size=None, num_workers=2))
    KEPT.append(batches)
    next(batches)


@pytest.mark.parametrize("group", [False, True], ids=["", "after a signal to the group"])
def test_an_open_loader_does_not_keep_its_process_from_ending(group):
    def target():
        keep_open()
        if group:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal_group(signal.SIGTERM)
            next(KEPT[0])

    assert end_of(target) == 0
