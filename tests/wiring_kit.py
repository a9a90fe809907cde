"""A stage as the workflow calls it, up to its calls of the library: which settings arrive there.

Snakemake plans a rule, the stage's own parser reads the command, and `main` runs in a copy of its
module in which the library's functions are recorders: they note what they are called with.
"""

import inspect
import runpy
import shlex
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, NonCallableMock

import pytest
import torch
from snakemake.api import SnakemakeApi
from snakemake.iocontainers import Wildcards
from snakemake.settings.types import OutputSettings, ResourceSettings
from snakemake.utils import format as filled

from getam_core import deeplab
from getam_core.data import Entry
from getam_core.settings import Settings
from getam_core.training import Processes
from workflow_scripts import causes, command, runs

WILDCARDS = {
    "run": "r", "split": "train", "of": "", "shard": "0", "sweep": "alpha", "crf": "",
    "method": "getam", "classifier": "cnn", "table": "table1", "study": "fusion",
    "figure": "segmentation_val",
}  # fmt: skip
ENTRIES = [Entry(name, Path(f"{name}.jpg"), "train", ("dog",)) for name in "abc"]
ENTRIES.append(Entry("d", Path("d.jpg"), "val", ("dog",)))
CPU = torch.device("cpu")

# These run for real: they only choose, or say how many processes and which number format there are.
REAL = {
    "resolved",
    "class_names",
    "of_split",
    "evenly",
    "sweep_variants",
    "map_variants",
    "joined",
    "number_format",
}
ANSWERS = {
    "evaluate_label_maps": lambda **_: ("matrix", {}),
    "read_index": lambda **_: ENTRIES,
    "torch_device": lambda **_: CPU,
    "TrainingSet": lambda entries, **_: entries,
    "write_in_parts": lambda write, **_: write("writer", slice(0, 1)),
    "write_together_in_parts": lambda outputs, write, **_: write(
        ["writer"] * len(outputs), slice(0, 1)
    ),
    "only_copy": lambda **_: nullcontext(),
    "processes_for": lambda **_: 1,
    "train_together": lambda work, **_: work(Processes()),
    "finished": lambda **_: SimpleNamespace(
        restore=lambda: False, place=lambda output: output, hand_over=lambda: None
    ),
}
# These identify the run, or the owner of a state: any key changes them, whether it is used or not.
NAMES_THE_RUN = {"settings", "header", "identity"}


class Recorder:
    """Replaces a function of the library: notes each call by the names of its arguments."""

    def __init__(self, function: Callable, calls: list[tuple[str, Any]]):
        self.__name__, self.function, self.calls = function.__name__, function, calls

    def __call__(self, *args: Any, **named: Any) -> Any:
        given = inspect.signature(self.function).bind(*args, **named).arguments
        noted = {name: value for name, value in given.items() if name not in NAMES_THE_RUN}
        self.calls.append((self.__name__, plain(noted)))
        if self.__name__ in ANSWERS:
            return ANSWERS[self.__name__](**given)
        return MagicMock(name=f"{self.__name__}()")


def plain(value: Any) -> Any:
    """Return a comparable value; for what a recorder returned, its name."""
    if isinstance(value, NonCallableMock):
        return value._extract_mock_name()
    if isinstance(value, Namespace):
        return value.device
    if isinstance(value, partial):
        return plain([value.func, value.args, value.keywords])
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return getattr(value, "__name__", None) or (value if is_scalar(value) else str(type(value)))


def is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, Path, torch.device))


def recorded(value: Any, calls: list) -> Any:
    """Return a recorder for a function or class of the library, or a dictionary of recorders."""
    if isinstance(value, dict) and value and all(map(inspect.isroutine, value.values())):
        return {name: Recorder(function, calls) for name, function in value.items()}
    if not inspect.isroutine(value) and not inspect.isclass(value):
        return value
    ours = str(value.__module__).startswith("getam_core")
    as_it_is = (
        value.__name__ in REAL
        or value.__module__.startswith(("getam_core.settings", "getam_core.errors"))
        or (is_dataclass(value) or issubclass(value, tuple) if inspect.isclass(value) else False)
    )
    return Recorder(value, calls) if ours and not as_it_is else value


class Stages:
    """The stages, planned for settings in memory, and called with recorders for the library."""

    def __init__(self, workflow: Any, patch: pytest.MonkeyPatch):
        self.workflow, self.patch, self.calls = workflow, patch, []
        self.recorded = [command, runs, causes]  # these belong to no stage, or stay real
        workflow.globals["checkpoints"] = MagicMock()
        workflow.globals["images_of"] = lambda index, split: 3
        self._record(deeplab, patch)
        for function in (
            command.torch_device,
            command.identity,
            command.only_copy,
            command.finished,
        ):
            patch.setattr(command, function.__name__, Recorder(function, self.calls))
        patch.setattr(torch, "manual_seed", Recorder(torch.manual_seed, self.calls))
        self.main_of = cache(self._main_of)

    def _record(self, module: ModuleType, patch: pytest.MonkeyPatch) -> None:
        for name, value in list(vars(module).items()):
            patch.setattr(module, name, recorded(value, self.calls))

    def _main_of(self, module: str) -> tuple[Callable, Any]:
        """Return the `main` of a stage, with recorders for the library, and its parser."""
        found = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(command, "run", lambda *both: found.extend(both))
            file = Path(command.__file__).with_name(f"{module.rpartition('.')[-1]}.py")
            runpy.run_path(str(file), run_name="__main__")
        main, parser = found
        for name, value in list(main.__globals__.items()):
            main.__globals__[name] = recorded(value, self.calls)
        self._record_shared()
        return main, parser

    def _record_shared(self) -> None:
        """Let what several stages share call recorders too."""
        for name, module in list(sys.modules.items()):
            if name.startswith("workflow_scripts.") and module not in self.recorded:
                self._record(module, self.patch)
                self.recorded.append(module)

    def called(self, rule: str, settings: Settings, **wildcards: str) -> dict[str, list]:
        """Return what a stage calls the library with: by `function.argument`, all calls' values.

        `command` is the stage's command without the settings, `gpu` the GPUs that it asks for.
        """
        words, gpu = self._planned(rule, settings, wildcards)
        module = next(word for word in words if word.startswith("workflow_scripts."))
        main, parser = self.main_of(module)
        arguments = parser.parse_args(words[words.index(module) + 1 :])
        self.calls.clear()
        main(arguments)
        values = defaultdict(list)
        for name, given in self.calls:
            for argument, value in given.items():
                values[f"{name}.{argument}"].append(value)
        for option in {"--settings", "--saving"} & set(words):
            words[words.index(option) + 1] = ""
        return {**values, "command": words, "gpu": [gpu]}

    def _planned(self, name: str, settings: Settings, wildcards: dict) -> tuple[list[str], int]:
        """Return the words of a rule's command, and how many GPUs it asks for."""
        parts = self.expanded(name, settings, **wildcards)
        words = shlex.split(filled(self.workflow.get_rule(name).shellcmd, **parts))
        return words, parts["resources"].get("gpu", 0)

    def expanded(self, name: str, settings: Settings, **wildcards: str) -> dict[str, Any]:
        """Return the values of `{input}`, `{params}` and the like in a rule's command."""
        self.workflow.globals["run_settings"] = lambda run: settings
        rule = self.workflow.get_rule(name)
        values = Wildcards(fromdict=WILDCARDS | wildcards)
        files, outputs = rule.expand_input(values)[0], rule.expand_output(values)[0]
        resources = rule.expand_resources(values, files, 1)
        job = SimpleNamespace(resources=resources)
        return {
            "wildcards": values,
            "input": files,
            "output": outputs,
            "resources": resources,
            "params": rule.expand_params(values, files, outputs, job)[0],
            "threads": resources["_cores"],
            "log": rule.expand_log(values),
        }


@contextmanager
def stages(repository: Path) -> Iterator[Stages]:
    """Load the workflow once; nothing is built and no file is written."""
    with pytest.MonkeyPatch.context() as patch, SnakemakeApi(OutputSettings()) as api:
        for variable in ("PATH", "PYTHONPATH"):  # the workflow changes them
            patch.setenv(variable, "")
        loaded = api.workflow(ResourceSettings(cores=8), snakefile=repository / "Snakefile")
        yield Stages(loaded._workflow, patch)
