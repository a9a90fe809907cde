"""What stages import: importing torch alone takes longer than many of them."""

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from getam_core.waiting import SPINS

WITHOUT_TORCH = (
    "check_masks",
    "count_pixels",
    "evaluate_labels",
    "evaluate_seed",
    "list_test",
    "make_scenes",
    "make_submission",
    "merge_entries",
    "merge_shards",
    "overview",
    "prepare_data",
    "review",
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


# Lowest first; packages on one line do not import each other. Single modules are below all of them.
FLOORS = (
    ("settings",),
    ("stores", "networks"),
    ("data", "scenes", "downloads", "activation", "refine"),
    ("labels", "inference"),
    ("training",),
    ("saliency", "deeplab"),
    ("evaluation", "report"),
    ("explain", "review", "segment"),
)


def imports_of(root: Path) -> dict[str, set[str]]:
    """Map every module of the library to the library's modules it imports, anywhere in the file."""
    found = {}
    for path in root.glob("getam_core/**/*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        froms = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
        found[name] = {module for module in froms if module and module.startswith("getam_core.")}
    return found


def test_modules_import_from_lower_floors_alone(repository):
    single = {path.stem: -1 for path in (repository / "getam_core").glob("*.py")}
    floor = single | {room: i for i, rooms in enumerate(FLOORS) for room in rooms}
    rooms = {path.parent.name for path in (repository / "getam_core").glob("*/__init__.py")}
    assert rooms <= set(floor), "a room without a floor: give it one in FLOORS"
    for module, imported in imports_of(repository).items():
        room = module.split(".")[1] if "." in module else "__init__"
        others = {other.split(".")[1] for other in imported} - {room}
        upwards = {o for o in others if floor[o] >= floor[room] and (o in rooms or room in rooms)}
        assert not upwards, f"{module} imports {upwards}, not below it"


def test_no_module_imports_itself_by_way_of_others(repository):
    TopologicalSorter(imports_of(repository)).prepare()  # raises CycleError with the cycle


WAITING = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}


def environment(**given):
    """The environment, in which only `given` says how threads wait."""
    return {name: value for name, value in os.environ.items() if name not in WAITING} | given


@pytest.mark.parametrize("program", ["workflow_scripts.export_maps", "getam_core.segment"])
def test_threads_of_a_program_wait_briefly(program, repository):
    command = [sys.executable, "-m", program, "--help"]
    ran = subprocess.run(
        command,
        check=True,
        cwd=repository,
        capture_output=True,
        text=True,
        env=environment(OMP_DISPLAY_ENV="verbose"),  # OpenMP prints what it has read
    )
    assert f"GOMP_SPINCOUNT = '{SPINS}'" in ran.stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in ran.stderr


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("import getam_core.segment, getam_core.explain, getam_core.training, os", {}),
        ("import workflow_scripts, os", {"OMP_WAIT_POLICY": "active"}),
        ("import workflow_scripts, os", {"GOMP_SPINCOUNT": "7"}),
    ],
)
def test_how_threads_wait_is_the_users_choice(code, given, repository):
    seen = f"{code}; assert {{n: os.environ[n] for n in {WAITING} if n in os.environ}} == {given}"
    command = [sys.executable, "-c", seen]
    subprocess.run(command, check=True, cwd=repository, env=environment(**given))
