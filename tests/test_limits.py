"""Limits that jobs request from a cluster: they grow with the work, and with each attempt."""

import re

import pytest

from getam_core.settings import Settings
from getam_core.settings.limits import STAGES, START, megabytes, minutes

HERE = {"images": 10_000, "threads": 8, "attempt": 1}


def run(**sections):
    return Settings.model_validate(sections)


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize("stage", STAGES)
def test_every_limit_grows_with_the_attempt_and_is_at_least_a_quarter_of_an_hour(stage, device):
    settings = run(device=device)
    first, second = (minutes(stage, settings, **HERE | {"attempt": n}) for n in (1, 2))
    assert 15 <= first < second and first % 15 == 0
    first, second = (megabytes(stage, images=1, threads=8, attempt=n) for n in (1, 2))
    assert 2 * first == second > 4000


def beyond_start(stage, settings, **changes):
    return minutes(stage, settings, **HERE | changes) - START


def test_time_follows_images_epochs_pixels_and_gpus():
    base = {"epochs": 20, "crop_size": 256, "classification_epochs": 8}

    def training(images=50_000, gpus=1, **train):
        return beyond_start("train", run(gpus=gpus, train=base | train), images=images)

    whole = training()
    assert training(images=500_000) == pytest.approx(10 * whole, rel=0.05)
    assert training(crop_size=512) == pytest.approx(4 * whole, rel=0.05)
    assert training(epochs=40) == pytest.approx(2 * whole, rel=0.05)
    assert training(gpus=4) == pytest.approx(whole / 4, rel=0.05)


def test_maps_take_a_pass_for_each_scale_and_mirror_image():
    def maps(**keys):
        return beyond_start("export_maps", run(maps={"size": 384, **keys}), images=500_000)

    assert maps(flip=True) == pytest.approx(2 * maps(flip=False), rel=0.05)
    assert maps(scales=[1.0, 0.5, 1.5]) == pytest.approx(3.5 * maps(), rel=0.05)


def test_memory_has_room_for_the_processes_and_for_a_list_of_ten_million_images():
    few, many = (megabytes("predict", images=1, threads=n, attempt=1) for n in (1, 8))
    assert many - few == 7 * 1500
    assert megabytes("predict", images=10**7, threads=8, attempt=1) - many == 20_000


def test_rules_that_ask_for_time_are_stages_with_limits(repository):
    text = "\n".join(file.read_text() for file in (repository / "rules").glob("*.smk"))
    bodies = re.split(r"^(?:rule|checkpoint) (\w+):\n", text, flags=re.MULTILINE)
    asking = {
        name
        for name, body in zip(bodies[1::2], bodies[2::2], strict=True)
        if "runtime=runtime(" in body or "**of_a_training(" in body
    }
    assert asking == set(STAGES)
