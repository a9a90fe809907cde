"""What a failed run prints last: the message of each failed stage, and of no other."""

import subprocess
from pathlib import Path

import pytest

from tests.warm_python import warm_python
from workflow_scripts.causes import LINES, causes

SNAKEMAKE = """
rule predict:
    log: {0}/good.log
Error in rule train:
    log: {0}/bad.log, {0}/cluster.log (check log file(s) for error details)
Error in rule train:
    log: {0}/bad.log, {0}/cluster.log (check log file(s) for error details)
Error in rule export_maps:
    log: {0}/gone.log (check log file(s) for error details)
"""
MANY = "ERROR: 9 problems\n" + "".join(f"  line {i}\n" for i in range(9))
TRACEBACK = "Traceback (most recent call last):\n  File\n    code\n    ^^^^\n"
CHAIN = f"{TRACEBACK}OSError: a\n\nDuring handling:\n\n{TRACEBACK}KeyError: 'x'\n\tmore\nlast\n"
GROUP = """
Error in group 0:
    jobs:
        rule train:
            log: {}/bad.log (check log file(s) for error details)
"""
WORKFLOW = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from workflow_scripts.causes import causes
rule all:
    input: "a", "b"
rule fails:
    output: "{{name,[ab]}}"
    log: "logs/{{name}}.log"
    shell: "echo 'ERROR: {{wildcards.name}} is wrong' > {{log}}; exit 2"
onerror:
    if said := causes(log):
        print(said, file=sys.stderr)
"""


def failed(folder, text, snakemake=SNAKEMAKE):
    """Return what is printed for a stage with this log."""
    (folder / "bad.log").write_text(text)
    (folder / "snakemake.log").write_text(snakemake.format(folder))
    return causes([folder / "snakemake.log", folder / "absent.log", folder])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("INFO: epoch 1\nERROR: no GPU\n", ["ERROR: no GPU"]),
        (MANY, [*MANY.splitlines()[:LINES], "  ..."]),
        ("ERROR: 21 problems\n  a\nERROR: the others:\nb\n", ["ERROR: 21 problems", "  a"]),
        (f"ERROR: a bug\n{CHAIN}", ["ERROR: a bug", "KeyError: 'x'"]),
        ("INFO: 1\nWARNING: stopped on request: x\n", ["WARNING: stopped on request: x"]),
    ],
)
def test_a_failed_stage_s_message_is_said_once(tmp_path, text, said):
    (tmp_path / "good.log").write_text("ERROR: of an earlier attempt\n")
    (tmp_path / "cluster.log").write_text("ERROR: the same again\n")
    assert failed(tmp_path, text).splitlines() == ["", f"{tmp_path}/bad.log:", *said]


def test_a_cluster_s_log_is_read_where_the_stage_left_none_and_so_is_a_group_s(tmp_path):
    (tmp_path / "cluster.log").write_text("ERROR: out of time\n")
    assert failed(tmp_path, "").splitlines() == [
        "",
        f"{tmp_path}/cluster.log:",
        "ERROR: out of time",
    ]
    assert "ERROR: no GPU" in failed(tmp_path, "ERROR: no GPU\n", GROUP)


def test_of_a_log_that_names_no_error_the_last_line_is_said(tmp_path):
    assert failed(tmp_path, "INFO: 1\nINFO: 2\n\n").splitlines() == [
        "",
        f"{tmp_path}/bad.log reports no error; its last line:",
        "INFO: 2",
    ]
    assert failed(tmp_path, "") == ""


def test_two_failures_of_a_real_run_are_said_after_all_else_and_its_exit_code_stays(tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    command = [warm_python(), "-m", "snakemake", "--cores", "1", "--keep-going", "--nocolor"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    last = done.stderr.partition("Exiting because")[2]
    assert done.returncode == 1
    for name in "ab":
        assert f"\nlogs/{name}.log:\nERROR: {name} is wrong\n" in last
