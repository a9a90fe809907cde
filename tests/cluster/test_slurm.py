"""The workflow on a one-machine Slurm: the numbers of a local run, whatever happens to its jobs.

`make test-cluster` runs this; the suite does not, since each job takes some ten seconds to start.
"""

import csv
import os
import shutil
import signal
import threading
import time

import pytest

from tests.cluster.demo import CHECKPOINT, END, SHORT

LONG = (
    "device=cpu",
    "train={epochs: 40, classification_epochs: 39, validate_every: 100}",
    "saliency={source: none}",
)
PATIENCE = 1800  # seconds; a busy machine takes minutes to begin a job


def wait_until(happened, seconds, what):
    limit = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < limit, f"waited in vain for {what()}"
        time.sleep(0.5)
    return found


class Watch(threading.Thread):
    """Notes which jobs with a GPU run at the same time, until told to stop."""

    def __init__(self, slurm):
        super().__init__(daemon=True)
        self.slurm, self.over, self.most, self.comments = slurm, threading.Event(), 0, set()

    def run(self):
        form = "tres-per-job:40,comment:100"
        while not self.over.wait(1):
            lines = self.slurm.say("squeue", "-h", "-t", "RUNNING", "-O", form).splitlines()
            on_gpu = [line.split() for line in lines if "gpu" in line.split()[0]]
            self.most = max(self.most, len(on_gpu))
            self.comments.update(comment for _, comment in on_gpu)


@pytest.fixture(scope="module")
def undisturbed(local):
    """The network of a longer training, without saliency, on this machine."""
    local.run([CHECKPOINT], *LONG)
    return local.network()


@pytest.fixture(scope="module")
def prepared(on_cluster, local, undisturbed):
    """The cluster's folder with what training reads, and without what it makes."""
    for name in ("results", ".snakemake"):
        shutil.copytree(local.folder / name, on_cluster.folder / name, dirs_exist_ok=True)
    return on_cluster


@pytest.fixture
def training(slurm, prepared):
    """The longer training, under way on the cluster: Snakemake's process, and the job."""
    prepared.forget_training()
    prepared.before = prepared.times()
    snakemake = prepared.start([CHECKPOINT], *LONG)
    wait_until(lambda: "epoch 3," in prepared.log("train"), PATIENCE, prepared.said)
    ((job, *_),) = slurm.jobs()
    yield snakemake, job
    if snakemake.poll() is None:
        snakemake.kill()
        snakemake.wait()
    slurm.say("scancel", "--me")
    wait_until(lambda: not slurm.jobs(), PATIENCE, slurm.jobs)


def check(demo, expected):
    """The network is bit-identical, training did not start over, and nothing else was remade."""
    assert demo.network() == expected
    assert demo.times() == demo.before
    log = demo.log("train")
    assert "epoch 1," not in log and ("resumed at epoch" in log or "already finished" in log)


def test_a_job_that_is_cancelled_is_tried_again_and_goes_on(slurm, prepared, training, undisturbed):
    snakemake, job = training
    slurm.say("scancel", job)
    assert snakemake.wait(PATIENCE) == 0, prepared.said()[-3000:]
    check(prepared, undisturbed)


def test_a_training_saves_before_its_time_limit_and_the_next_attempt_has_more_time(
    slurm, prepared, training, undisturbed
):
    snakemake, job = training
    slurm.say("scontrol", "update", f"JobId={job}", "TimeLimit=1")
    wait_until(lambda: "state saved" in prepared.log("train"), PATIENCE, prepared.said)
    assert snakemake.wait(PATIENCE) == 0, prepared.said()[-3000:]
    check(prepared, undisturbed)


def test_a_training_whose_node_fails_goes_on_on_another(slurm, prepared, training, undisturbed):
    snakemake, job = training
    node = slurm.say("squeue", "-h", "-j", job, "-o", "%N").strip()
    slurm.crash(node, job)
    try:
        assert snakemake.wait(PATIENCE) == 0, prepared.said()[-3000:]
        check(prepared, undisturbed)
    finally:
        slurm.start_node(node)
        slurm.wait_for_nodes()


def test_slurmd_killed_and_started_again_disturbs_nothing(slurm, prepared, training, undisturbed):
    snakemake, job = training
    node = slurm.say("squeue", "-h", "-j", job, "-o", "%N").strip()
    slurm.processes[node].kill()
    time.sleep(2)
    slurm.start_node(node)
    assert snakemake.wait(PATIENCE) == 0, prepared.said()[-3000:]
    assert prepared.network() == undisturbed
    assert prepared.log("train").count("epoch 1,") == 1


def test_after_snakemake_is_killed_the_same_command_reuses_what_its_job_finished(
    slurm, prepared, training, undisturbed
):
    snakemake, _ = training
    os.killpg(snakemake.pid, signal.SIGKILL)
    snakemake.wait()
    wait_until(lambda: not slurm.jobs(), PATIENCE, prepared.said)
    assert (prepared.folder / CHECKPOINT).exists()
    prepared.run([CHECKPOINT], *LONG, more=("--unlock",))
    prepared.run([CHECKPOINT], *LONG)
    assert prepared.network() == undisturbed
    assert prepared.times() == prepared.before
    assert prepared.log("train").count("epoch 1,") == 1, "the job trained, and nothing after it"
    made = (prepared.folder / CHECKPOINT).stat().st_mtime_ns
    prepared.run([CHECKPOINT], *LONG, more=("-R", CHECKPOINT))
    assert (prepared.folder / CHECKPOINT).stat().st_mtime_ns > made
    assert "epoch 1," in prepared.log("train"), "what is forced is trained anew"
    assert prepared.network() == undisturbed


@pytest.fixture(scope="module")
def finished(slurm, on_cluster):
    """The demo, made by the cluster, with what was seen of its jobs."""
    watch = Watch(slurm)
    watch.start()
    on_cluster.run(END, SHORT)
    watch.over.set()
    on_cluster.watch = watch
    return on_cluster


def test_the_demo_gives_the_numbers_of_a_local_run(finished, local):
    local.run(END, SHORT)
    assert finished.miou() == local.miou()


def test_jobs_with_a_gpu_run_one_after_another_on_the_one_that_there_is(finished):
    assert finished.watch.most == 1
    assert len(finished.watch.comments) >= 4, "trainings, saliency, maps, predictions"


def test_a_training_on_two_nodes_has_the_losses_of_one_process(on_cluster, local):
    local.run([CHECKPOINT], SHORT)
    on_cluster.run(["results/demo/saliency.h5"], SHORT)  # by one process, as the local one is
    on_cluster.forget_training()
    pair = ("--set-resources", "train:slurm_partition=pair")
    on_cluster.run([CHECKPOINT], SHORT, "gpus=2", "nodes=2", more=pair)
    one, two = (losses(demo) for demo in (local, on_cluster))
    assert two == pytest.approx(one, rel=1e-3)
    assert "torch.distributed.run" in on_cluster.said() and "--nnodes 2" in on_cluster.said()


def losses(demo):
    with (demo.made / "train" / "metrics.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]
