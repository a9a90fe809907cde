"""What every command shares: the common arguments, a log, one clear line for wrong input."""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from getam_core.errors import InputError, Interrupted
from getam_core.files import digest
from getam_core.once import Finished, alone
from getam_core.settings import Settings
from getam_core.signals import heeded
from workflow_scripts.sessions import session

WRONG_INPUT = 2
# The most images that a stage with worker processes loses when it is killed. At the end of each
# such part, the workers wait for the slowest one.
PART = 256
FILE_ALONE = {"file_alone": True}  # marks a record that is too long for the screen


def parser(description: str | None, **files: str) -> argparse.ArgumentParser:
    """Return a parser with `--settings`, `--threads`, `--device`, `--log` and the stage's files.

    `files` are argument names with what they hold; each becomes a required `--name PATH`.
    """
    arguments = argparse.ArgumentParser(description=description)
    for name, holds in files.items():
        arguments.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True, help=holds)
    arguments.add_argument("--settings", default="{}", help="sections of the run's settings, JSON")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    arguments.add_argument("--log", type=Path)
    return arguments


def add_saving(arguments_parser: argparse.ArgumentParser) -> None:
    """Add `--saving` and `--anew`, for stages that save states; neither changes their results."""
    arguments_parser.add_argument(
        "--saving", default="{}", help="the sections' keys that set when states are saved, JSON"
    )
    arguments_parser.add_argument(
        "--anew", action="store_true", help="ignore the results of an earlier, finished run"
    )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings that were passed; all others have their defaults."""
    settings = json.loads(arguments.settings)
    for section, keys in json.loads(getattr(arguments, "saving", "{}")).items():
        settings[section] = settings.get(section, {}) | keys
    return Settings.model_validate(settings)


def identity(arguments: argparse.Namespace, *inputs: str) -> dict[str, Any]:
    """Return what identifies a resume state: settings except for saving, and the inputs' contents.

    `inputs` are names of arguments; those without a path are left out.
    """
    settings = settings_of(arguments).select(*json.loads(arguments.settings))
    paths = {name: path for name in inputs if (path := getattr(arguments, name)) is not None}
    return json.loads(settings) | {"inputs": {name: digest(path) for name, path in paths.items()}}


@contextmanager
def only_copy(arguments: argparse.Namespace) -> Iterator[None]:
    """Refuse a second copy of a running stage; the lock is beside its state.

    The log is emptied only once the lock is taken: a copy that is refused adds a line to it. What
    the session costs is added to `<log's name>.tsv` beside the state.
    """
    if rank() > 0:  # of several processes, the first takes the lock
        yield
        return
    arguments.restored = False  # see `finished_before`
    name = arguments.log.stem if arguments.log else arguments.state.stem
    with (
        alone(arguments.state.with_suffix(".lock")),
        session(
            arguments.state.with_name(f"{name}.tsv"),
            goes_on=arguments.state.exists(),
            counts=lambda: not arguments.restored,
        ),
    ):
        _begin(arguments.log)
        yield


def finished(arguments: argparse.Namespace, identity: Any, *outputs: str) -> Finished:
    """Return where a stage keeps its finished outputs, named by argument: beside its state."""
    folder = arguments.state.with_suffix(".finished")
    kept = Finished(folder, identity, *(getattr(arguments, name) for name in outputs))
    if arguments.anew and rank() == 0:
        kept.drop()
    return kept


def finished_before(
    arguments: argparse.Namespace,
    kept: Finished,
    processes: "Processes",  # noqa: F821 (needs torch)
) -> bool:
    """Restore the outputs of a finished stage; tell all processes whether it had finished.

    A state left over from it is deleted: `--anew` would end at once with the old network.
    """
    arguments.restored = processes.ask_first(kept.restore)
    if arguments.restored and processes.is_first:
        arguments.state.unlink(missing_ok=True)
    return arguments.restored


def run(
    main: Callable[[argparse.Namespace], None], arguments_parser: argparse.ArgumentParser
) -> None:
    """Parse, set up logging, call `main`, and turn its outcome into an exit code.

    Wrong input prints one line and exits with 2; a stop on request exits with 128 + its signal's
    number (130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP); anything else is a defect and prints
    its traceback. The log file gets the same lines, and the rest of a report too long for the
    screen. Of several processes, the first logs everything and the others only their errors.
    """
    arguments = arguments_parser.parse_args()
    _log_to(arguments.log)
    if not hasattr(arguments, "anew") and rank() == 0:  # else see `only_copy`
        _begin(arguments.log)
    for number in set(heeded()) - {signal.SIGINT}:  # which raises KeyboardInterrupt already
        signal.signal(number, _stop)
    try:
        main(arguments)
    except InputError as error:
        logging.error("%s", error)
        if error.rest:
            logging.error("the others:\n%s", "\n".join(error.rest), extra=FILE_ALONE)
        sys.exit(WRONG_INPUT)
    except (KeyboardInterrupt, Interrupted) as stop:
        signals = getattr(stop, "signals", stop.args)
        message = stop if isinstance(stop, Interrupted) else "run the command again"
        logging.warning("stopped on request: %s", message)
        sys.exit(128 + (signals[-1] if signals else signal.SIGINT))
    except Exception:
        logging.exception(
            "this is a bug, or a fault of the machine; please report it with this log"
        )
        sys.exit(1)


def torch_device(arguments: argparse.Namespace) -> "torch.device":  # noqa: F821 (imported below)
    """Set the number of threads; return the device to compute on, a GPU of this process alone.

    Raises
    ------
    InputError
        A GPU is asked for and there is none, or there are fewer GPUs than processes.
    """
    import torch  # only the stages that compute pay for the import

    from getam_core.gpus import take_gpu

    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # that torchrun started here
    arguments.threads = max(1, arguments.threads // processes)
    torch.set_num_threads(arguments.threads)
    has_gpu = torch.cuda.is_available()
    if arguments.device == "cuda" and not has_gpu:
        raise InputError("device: cuda was requested, but torch finds no GPU; use auto or cpu")
    return take_gpu() if has_gpu and arguments.device != "cpu" else torch.device("cpu")


def rank() -> int:
    """Return which of the processes of one stage this is, 0 for the one that writes files."""
    return int(os.environ.get("RANK", "0"))


def _log_to(path: Path | None) -> None:
    screen = logging.StreamHandler()
    screen.addFilter(lambda record: not getattr(record, "file_alone", False))
    handlers: list[logging.Handler] = [screen]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {"encoding": "utf-8", "errors": "backslashreplace"}  # paths need not be UTF-8
        handlers.append(logging.FileHandler(path, **kept))
    level = logging.INFO if rank() == 0 else logging.ERROR
    logging.basicConfig(level=level, format="%(levelname)s: %(message)s", handlers=handlers)


def _begin(log: Path | None) -> None:
    """Empty a log that is open for appending."""
    if log is not None:
        os.truncate(log, 0)


def _stop(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)
