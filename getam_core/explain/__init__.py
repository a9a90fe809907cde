"""Pictures of what a network sees: maps over images, for people.

Reading order: `subject` (a network with its names and its input), `figure` (maps to a picture),
`__main__` (`python -m getam_core.explain IMAGE... --model NAME -o OUT.png`).
"""

from getam_core.explain.figure import explain
from getam_core.explain.subject import Subject, load_subject

__all__ = ["Subject", "explain", "load_subject"]
