"""Pictures of what a network sees: maps over images, for people.

Reading order: `subject` (a network with its names and its input), `figure` (maps to a picture),
`command` (`python -m getam_core.explain IMAGE... --model NAME -o OUT.png`).
"""

from typing import TYPE_CHECKING

from getam_core.on_demand import imported_on_demand

if TYPE_CHECKING:
    from getam_core.explain.figure import explain
    from getam_core.explain.subject import Subject, load_subject

__all__ = ["Subject", "explain", "load_subject"]

__getattr__ = imported_on_demand(
    __name__, {"explain": "figure", "Subject": "subject", "load_subject": "subject"}
)
