"""Snakemake is killed and its training goes on: the same command reuses what that finished."""

import subprocess
import sys
import time

from tests.tiny_workflow import Workflow

CHECKPOINT = "results/tiny/train/checkpoint.pt"


def wait_until(happened):
    limit = time.monotonic() + 600
    while not happened():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_training_that_outlived_snakemake_is_reused_and_a_forced_one_is_bit_identical(
    tmp_path, repository
):
    workflow = Workflow(tmp_path, repository)
    workflow.configure(saliency={"source": "none"})
    made = tmp_path / "results" / "tiny"
    log, finished = made / "logs" / "train.log", made / "state" / "train.finished"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = workflow.command([CHECKPOINT], python=sys.executable)  # a process that can be killed
    with subprocess.Popen(command, **quiet) as snakemake:
        wait_until(log.exists)
        snakemake.kill()
    assert not finished.exists(), "the training has only begun"
    wait_until((finished / "identity.json").exists)
    wait_until((tmp_path / CHECKPOINT).exists)
    orphan_s = (tmp_path / CHECKPOINT).read_bytes()
    workflow.run([CHECKPOINT], "--unlock")
    workflow.run([CHECKPOINT])
    assert "already finished" in log.read_text() and "epoch 1," not in log.read_text()
    assert (tmp_path / CHECKPOINT).read_bytes() == orphan_s
    workflow.run([CHECKPOINT], "--force")
    assert "epoch 1," in log.read_text()
    assert (tmp_path / CHECKPOINT).read_bytes() == orphan_s
