"""What every command shares: the common arguments, a log, one clear line for wrong input."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from getam_core.errors import InputError, Interrupted
from getam_core.settings import Settings

WRONG_INPUT = 2


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


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings that were handed over; sections that were not keep their defaults."""
    return Settings.model_validate_json(arguments.settings)


def run(
    main: Callable[[argparse.Namespace], None], arguments_parser: argparse.ArgumentParser
) -> None:
    """Parse, set up logging, call `main`, and turn its end into an exit code.

    Wrong input prints one line and exits with 2; a stop on request exits with 128 + its signal's
    number (130 for Ctrl-C, 143 for SIGTERM); anything else that goes wrong is ours and prints its
    traceback. The log file gets the same lines; of several processes, the first one's.
    """
    arguments = arguments_parser.parse_args()
    _log_to(arguments.log)
    signal.signal(signal.SIGTERM, _stop)
    try:
        main(arguments)
    except InputError as error:
        logging.error("%s", error)
        sys.exit(WRONG_INPUT)
    except (KeyboardInterrupt, Interrupted) as stop:
        signals = getattr(stop, "signals", stop.args)
        message = stop if isinstance(stop, Interrupted) else "run the command again"
        logging.warning("stopped on request: %s", message)
        sys.exit(128 + (signals[-1] if signals else signal.SIGINT))
    except Exception:
        logging.exception("this is a defect, or the machine's; please report it with this log")
        sys.exit(1)


def torch_device(arguments: argparse.Namespace) -> "torch.device":  # noqa: F821 (imported below)
    """Return the device to compute on, with the number of threads set.

    Raises
    ------
    InputError
        A GPU is asked for and there is none.
    """
    import torch  # only the stages that compute pay for the import

    torch.set_num_threads(arguments.threads)
    has_gpu = torch.cuda.is_available()
    if arguments.device == "cuda" and not has_gpu:
        raise InputError("device: cuda is asked for but torch finds no GPU; use auto or cpu")
    return torch.device("cuda" if has_gpu and arguments.device != "cpu" else "cpu")


def _log_to(path: Path | None) -> None:
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path, mode="w" if first else "a", encoding="utf-8"))
    level = logging.INFO if first else logging.ERROR
    logging.basicConfig(level=level, format="%(levelname)s: %(message)s", handlers=handlers)


def _stop(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)
