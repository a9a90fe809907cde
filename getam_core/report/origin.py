"""What a run was made with: revision, versions, machine, seeds."""

from collections.abc import Iterator, Mapping
from typing import Any

from getam_core.report.tables import Table

REVISION = 12  # digits that are shown


def origin_table(
    training: Mapping[str, Any] | None, report: Mapping[str, Any], settings: Mapping[str, Any]
) -> Table:
    """Make the table of what trained the network and what wrote the report.

    Parameters
    ----------
    training : mapping or None
        `provenance` of the training; None for a network trained before provenance was recorded.
    report : mapping
        `provenance` of this process.
    settings : mapping
        The run's settings; every `seed` in them is listed.
    """
    columns = {"Training": training, "Report": report}
    known = {title: _lines(found) for title, found in columns.items() if found is not None}
    names = dict.fromkeys(name for lines in known.values() for name in lines)
    rows = [[name, *(lines.get(name, "") for lines in known.values())] for name in names]
    seeds = ", ".join(f"{name} {value}" for name, value in _seeds(settings)) or "none"
    return ["What", *known], [*rows, ["Seeds", *[seeds] * len(known)]]


def _lines(found: Mapping[str, Any]) -> dict[str, str]:
    revision = found["revision"]
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return {
        "Software": f"getam-core {found['version']}",
        "Git revision": "unknown: not a checkout" if revision is None else _revision(found),
        "Python": found["python"],
        "Packages": packages,
        "Processor": f"{found['cpu']}, {found['cores']} cores",
        "GPU": found["gpu"] or "none",
        "System": found["system"],
    }


def _revision(found: Mapping[str, Any]) -> str:
    return found["revision"][:REVISION] + (", with changes" if found["modified"] else "")


def _seeds(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of every key `seed`."""
    for key, value in settings.items():
        if key == "seed":
            yield above + key, value
        elif isinstance(value, Mapping):
            yield from _seeds(value, f"{above}{key}.")
