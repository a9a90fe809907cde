"""What stages import: torch alone takes longer than many of them."""

import subprocess
import sys

import pytest

WITHOUT_TORCH = (
    "check_masks",
    "evaluate_labels",
    "evaluate_seed",
    "list_test",
    "make_scenes",
    "make_submission",
    "merge_entries",
    "merge_shards",
    "overview",
    "prepare_data",
    "report",
)


@pytest.mark.parametrize("script", WITHOUT_TORCH)
def test_a_stage_that_computes_without_torch_does_not_import_it(script, repository):
    code = f"import sys, workflow_scripts.{script}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=repository)


def test_the_benchmarks_begin(repository):
    command = [sys.executable, "-m", "benchmarks", "--help"]
    shown = subprocess.run(command, check=True, cwd=repository, capture_output=True, text=True)
    assert "--rounds" in shown.stdout


def test_maps_need_torch_and_timm_alone(repository):
    code = (
        "import sys, torch, timm; known = set(sys.modules); import getam_core.activation;"
        "added = {name.split('.')[0] for name in set(sys.modules) - known};"
        "assert added == {'getam_core'}, added"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=repository)
