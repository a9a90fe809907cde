"""What a training cost in total, over the jobs that it took."""

from argparse import Namespace

import pytest

from getam_core.report import read_costs
from getam_core.training import Processes
from workflow_scripts import command
from workflow_scripts.sessions import session

COUNTED = {"counts": lambda: True}


def of(record):
    return read_costs([], sessions=[record]).get("train")


def test_sessions_of_one_training_add_up_and_a_new_one_begins_anew(tmp_path):
    record = tmp_path / "state" / "train.tsv"
    with pytest.raises(KeyboardInterrupt), session(record, goes_on=False, **COUNTED):
        raise KeyboardInterrupt
    with session(record, goes_on=True, **COUNTED):
        pass
    assert of(record).jobs == 2 and len(of(record).cpu_seconds) == 2
    with session(record, goes_on=False, **COUNTED):
        pass
    assert of(record).jobs == 1


def test_a_stage_that_only_restores_leaves_the_record_as_it_is(tmp_path):
    arguments = Namespace(state=tmp_path / "state" / "saliency.pt", anew=False)
    arguments.log = tmp_path / "train_saliency.log"
    arguments.out = tmp_path / "network.pt"
    record = tmp_path / "state" / "train_saliency.tsv"
    for _ in range(2):
        arguments.log.touch()
        with command.only_copy(arguments):
            finished = command.finished(arguments, {}, "out")
            if not command.finished_before(arguments, finished, Processes()):
                finished.place(arguments.out).parent.mkdir(parents=True)
                finished.place(arguments.out).touch()
                finished.hand_over()
        assert read_costs([], sessions=[record])["train_saliency"].jobs == 1


def test_the_sessions_of_a_training_stand_for_its_last_job(tmp_path):
    for folder, rows in (("benchmarks", "3.0\t2.0\n"), ("state", "60.0\t50.0\n3.0\t2.0\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.tsv").write_text("s\tcpu_time\n" + rows)
    costs = read_costs((tmp_path / "benchmarks").iterdir(), (tmp_path / "state").iterdir())
    assert (costs["train"].jobs, costs["train"].seconds) == (2, 63.0)
