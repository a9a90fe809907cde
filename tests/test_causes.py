"""What is said last of a run that failed: the message of each failed stage, and of no other."""

import pytest

from workflow_scripts.causes import LINES, causes

SNAKEMAKE = """
rule predict:
    log: {0}/good.log
Error in rule train:
    log: {0}/bad.log (check log file(s) for error details)
Error in rule train:
    log: {0}/bad.log (check log file(s) for error details)
Error in rule export_maps:
    log: {0}/gone.log (check log file(s) for error details)
"""
MANY = "ERROR: 9 problems\n" + "".join(f"  line {i}\n" for i in range(9))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("INFO: epoch 1\nERROR: no GPU\n", ["ERROR: no GPU"]),
        (MANY, [*MANY.splitlines()[:LINES], "  ..."]),
        ("ERROR: 21 problems\n  a\nERROR: the others:\nb\n", ["ERROR: 21 problems", "  a"]),
        (
            "ERROR: a defect\nTraceback (most recent call last):\n  File\nKeyError: 'x'\n",
            ["ERROR: a defect", "KeyError: 'x'"],
        ),
        ("INFO: 1\nWARNING: stopped on request: x\n", ["WARNING: stopped on request: x"]),
    ],
)
def test_a_failed_stage_s_message_is_said_once(tmp_path, text, said):
    (tmp_path / "bad.log").write_text(text)
    (tmp_path / "good.log").write_text("ERROR: of an earlier attempt\n")
    (tmp_path / "snakemake.log").write_text(SNAKEMAKE.format(tmp_path))
    shown = causes([tmp_path / "snakemake.log"])
    assert shown.splitlines() == ["", f"{tmp_path}/bad.log:", *said]


def test_nothing_is_said_where_no_log_says_why(tmp_path):
    (tmp_path / "bad.log").write_text("INFO: 1\n")
    (tmp_path / "snakemake.log").write_text(SNAKEMAKE.format(tmp_path))
    assert causes([tmp_path / "snakemake.log", tmp_path / "absent.log"]) == ""
