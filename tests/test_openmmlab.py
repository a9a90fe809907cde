"""Importing mmsegmentation, with mmcv-lite and with a (simulated) full mmcv."""

import subprocess
import sys

import mmcv
import pytest
from mmengine.utils.dl_utils import mmcv_full_available

from getam_core.errors import InputError
from getam_core.networks.openmmlab import OPERATORS, operators_or_stand_in

# Takes the place of full mmcv's compiled operators; it has every name that mmcv.ops asks for.
FULL = """
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *arguments, **options: "computed"
"""
IMPORT_WITH_FULL = f"""
import sys
import mmcv
mmcv.__path__.append(sys.argv[1])
from getam_core.networks import openmmlab
from mmcv.ops import point_sample
from mmengine.utils.dl_utils import mmcv_full_available
module = sys.modules["{OPERATORS}"]
assert module.__file__.startswith(sys.argv[1]), module
assert module.nms() == "computed" and mmcv_full_available()
"""


@pytest.fixture
def lite():
    """These tests are about mmcv-lite: full mmcv needs no stand-in."""
    if OPERATORS in sys.modules:
        pytest.fail("the lock has mmcv-lite, but mmcv's operators are loaded")


def test_no_trace_of_the_stand_in_is_left(lite):
    assert OPERATORS not in sys.modules
    assert not mmcv_full_available()


def test_an_operator_of_the_stand_in_says_what_is_missing(lite):
    with operators_or_stand_in():
        operators = sys.modules[OPERATORS]
        with pytest.raises(RuntimeError, match="mmcv-lite has no operator nms"):
            operators.nms([], [])
    assert OPERATORS not in sys.modules


def test_the_stand_in_goes_even_when_an_import_fails(lite):
    with (
        pytest.raises(InputError, match=r"mmsegmentation.*no_such_part.*\[deeplab\]"),
        operators_or_stand_in(),
    ):
        import no_such_part  # noqa: F401
    assert OPERATORS not in sys.modules


def test_installed_operators_are_found_and_left_alone(lite, monkeypatch, tmp_path):
    (tmp_path / "_ext.py").write_text(FULL)
    monkeypatch.setattr(mmcv, "__path__", [*mmcv.__path__, str(tmp_path)])
    with operators_or_stand_in():
        assert OPERATORS not in sys.modules, "nobody has imported it yet, and nothing stands there"
    assert mmcv_full_available()


def test_mmsegmentation_is_imported_with_full_mmcv_s_own_operators(tmp_path, repository):
    (tmp_path / "_ext.py").write_text(FULL)
    command = [sys.executable, "-W", "ignore", "-c", IMPORT_WITH_FULL, str(tmp_path)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
