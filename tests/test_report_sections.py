"""What the report says besides the figures: best and worst images, confusions, costs, origin."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from getam_core.provenance import provenance
from getam_core.report import (
    confusion_figure,
    cost_table,
    extremes,
    origin_table,
    read_costs,
    with_mious,
)
from getam_core.report.costs import duration
from tests.test_report import drawn, example


def test_extremes_are_the_top_the_middle_and_the_bottom_of_the_order():
    mious = {"f": 10.0, "a": 90.0, "c": 50.0, "d": 45.0, "b": 80.0, "e": 20.0, "g": 5.0}
    assert list(extremes(mious, 1).items()) == [("a", "best"), ("d", "median"), ("g", "worst")]
    assert list(extremes(mious, 2)) == ["a", "b", "c", "d", "f", "g"]


@pytest.mark.parametrize("count", range(8))
def test_extremes_name_no_image_twice_however_few_there_are(count):
    chosen = extremes({str(i): float(i) for i in range(count)}, 2)
    assert len(chosen) == 3 * min(2, count // 3)


def test_a_chosen_image_says_what_it_is_and_how_good():
    (shown,) = with_mious([example({})], {"made": "worst"}, {"made": 12.3})
    assert shown.name == "worst, 12 %: made"


def test_confusion_shows_shares_of_the_true_class_and_unknown_where_there_is_any():
    counts = np.array([[90, 10, 0, 0], [1, 0, 3, 0], [0, 0, 0, 0]])
    words = drawn(confusion_figure(["background", "cat", "a$b"], counts))
    assert {"90", "10", "25", "75", "a$b"} <= set(words) and "unknown" not in words
    counts[0, -1] = 100
    assert "unknown" in drawn(confusion_figure(["background", "cat", "dog"], counts))


def test_costs_of_shards_add_up_and_what_was_not_measured_is_left_out(tmp_path):
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    rows = {
        "export_maps_getam_0": "60.0\t0:01:00\t2048.0\t1\t1\t1\t1\t1\t90\t50.0\n",
        "export_maps_getam_1": "65.0\t0:01:05\t1024.0\t1\t1\t1\t1\t1\t90\t20.0\n",
        "train": "3700.2\t1:01:40\t-\tNA\t1\t1\t1\t1\t90\tNA\n",
    }
    for name, row in rows.items():
        (tmp_path / f"{name}.tsv").write_text(header + row)
    header, lines = cost_table(read_costs(tmp_path.glob("*.tsv")))
    assert header == ["Stage", "Jobs", "Time", "CPU time", "Highest memory"]
    assert lines == [
        ["train", "1", "1 h 1 min", "", ""],
        ["export maps getam", "2", "2 min 5 s", "1 min 10 s", "2.0 GiB"],
    ]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599.7, "1 h 0 min")]
)
def test_durations_carry(seconds, words):
    assert duration(seconds) == words


def test_origin_says_revision_versions_machine_and_every_seed():
    found = provenance("a GPU")
    settings = {"seed": 3, "data": {"scenes": {"seed": 7}}, "train": {"epochs": 1}}
    header, rows = origin_table(found, found | {"gpu": None}, settings)
    assert header == ["What", "Training", "Report"]
    lines = {name: values for name, *values in rows}
    assert lines["GPU"] == ["a GPU", "none"]
    assert lines["Seeds"] == ["seed 3, data.scenes.seed 7"] * 2
    assert "torch" in lines["Packages"][0] and all(lines["Processor"])


def test_a_run_trained_before_origins_were_kept_has_that_of_the_report_alone():
    assert origin_table(None, provenance(), {})[0] == ["What", "Report"]


def test_the_revision_is_that_of_the_checkout(repository):
    command = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert provenance()["revision"] == (done.stdout.strip() if done.returncode == 0 else None)


def test_an_installed_copy_in_somebody_s_checkout_has_no_revision(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.setattr("getam_core.provenance.__file__", str(Path(tmp_path) / "provenance.py"))
    assert provenance()["revision"] is None and provenance()["modified"] is False
