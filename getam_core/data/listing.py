"""What a reader finds in a data set: images, labels, and everything that is wrong with them."""

import difflib
import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from getam_core.classes import MOST_CLASSES, unusable_names
from getam_core.control_characters import escaped, has_control_characters
from getam_core.data.check import image_problems
from getam_core.data.index import Entry, class_names
from getam_core.data.vocabulary import Vocabulary
from getam_core.errors import raise_problems

log = logging.getLogger(__name__)

RARE, ALIKE = 10, 0.6  # a tenth as often, and a similarity that 'dgo' and 'dog' reach
LEAVE_OUT = " (data.other_classes: leave_out continues without it)"
LONGEST_ID = 200  # bytes; file systems allow 255 for a name with its suffix


@dataclass
class Listing:
    """A data set as it was found; `checked` says whether it can be used.

    Attributes
    ----------
    folder : Path
        The data set's folder, absolute.
    entries : list of Entry
        Training images first.
    problems : list of str
        What the reader found wrong, one line each; paths are relative to `folder`.
    warnings : list of str
        What is left out or unusual, but no reason to stop.
    absent : set of str
        Ids of entries without an image file; the reader has reported them.
    vocabulary : Vocabulary
        What labels mean.
    """

    folder: Path
    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    left_out: Counter[str] = field(default_factory=Counter)
    _asked: set[str] = field(default_factory=set)

    def shown(
        self, labels: Iterable[str], where: str, *, several_objects: bool = False
    ) -> tuple[str, ...]:
        """Return the classes that an image's labels name; problems are recorded with `where`.

        Parameters
        ----------
        labels : iterable of str
        where : str
            The beginning of a problem's text: a file and the line in it.
        several_objects : bool
            Each label is that of an object, so a background label contradicts no other.
        """
        meaning = self.vocabulary.read(labels)
        if meaning.nothing and meaning.classes and not several_objects:
            both = f"'{meaning.nothing[0]}' together with '{meaning.classes[0]}'"
            self.problems.append(f"{where}: {both}; keep one")
        for word in meaning.doubtful:
            if word not in self._asked:  # once is enough: often every second image has it
                self.problems.append(f"{where}: {_doubtful_word(word)}")
            self._asked.add(word)
        if self.vocabulary.leave_out:
            self.left_out.update(meaning.unknown)
        else:
            known = self.vocabulary.classes or ()
            self.problems += [f"{where}: {unknown_class(name, known)}" for name in meaning.unknown]
        return meaning.classes

    def checked(
        self,
        classes: Sequence[str] | None,
        *,
        splits: Sequence[str] = ("train", "val"),
        workers: int = 0,
    ) -> list[Entry]:
        """Return the entries; log the warnings, and raise all problems in one report.

        Parameters
        ----------
        classes : sequence of str, or None
            The classes that training images must show; None for whichever they show.
        splits : sequence of str
            Each must have an image.
        workers : int
            Threads that open every image; 0 opens none.

        Raises
        ------
        InputError
            The reader's problems, and: an id that is used twice or is not a safe file name, a split
            without images, a class without training images, a broken image.
        """
        if self.vocabulary.leave_out and classes is None:
            self._leave_out_unseen()
        problems = [*self.problems, *id_problems(self.entries)]
        if self.entries or not problems:  # if nothing could be read, empty splits are no news
            problems += _split_problems(self.entries, splits)
            problems += _class_problems(self.entries, classes, splits)
        if workers:
            there = [entry for entry in self.entries if entry.image_id not in self.absent]
            problems += image_problems(there, self.folder, workers)
        doubts = _doubtful_names(self.entries) if classes is None else []
        doubts += _universal_classes(self.entries) + _left_out(self.left_out)
        for warning in [*self.warnings, *doubts]:
            log.warning("%s: %s", self.folder, escaped(warning))
        raise_problems(f"the data set {self.folder}", problems)
        return self.entries

    def _leave_out_unseen(self) -> None:
        """Remove classes that no training image shows from the labels of the other images."""
        seen = set(class_names(None, self.entries))
        self.left_out.update(n for e in self.entries for n in e.classes if n not in seen)
        self.entries = [
            replace(e, classes=tuple(n for n in e.classes if n in seen)) for e in self.entries
        ]


def id_problems(entries: Iterable[Entry]) -> list[str]:
    """Report ids that are not safe file names, or whose files would overwrite one another."""
    problems: list[str] = []
    first: dict[str, Entry] = {}
    for entry in entries:
        if reason := _unsafe(entry.image_id):
            problems.append(f"id {entry.image_id!r}: {reason}; rename the image")
        other = first.setdefault(entry.image_id.casefold(), entry)
        if other is not entry:
            alike = "the same id" if other.image_id == entry.image_id else "the same but for case"
            problems.append(
                f"id {entry.image_id!r}: {entry.image.name} and {other.image.name} have {alike};"
                " rename one"
            )
    return problems


def _unsafe(image_id: str) -> str | None:
    if not image_id.strip(". "):
        return "is not a name"
    if "/" in image_id or "\\" in image_id:
        return "has a slash"
    if has_control_characters(image_id):
        surrogates = any(unicodedata.category(character) == "Cs" for character in image_id)
        return "is not UTF-8" if surrogates else "has a control character"
    if image_id.startswith("."):
        return "begins with a dot"
    if len(image_id.encode()) > LONGEST_ID:
        return f"is longer than {LONGEST_ID} bytes"
    return None


def _doubtful_word(word: str) -> str:
    return (
        f"'{word}': is it a class? If so, name it in data.classes; if not, set"
        f" data.negative: ['{word}']"
    )


def _universal_classes(entries: Sequence[Entry]) -> list[str]:
    """Report classes that every training image shows: nothing tells where they are."""
    train = [set(entry.classes) for entry in entries if entry.split == "train"]
    always = sorted(set.intersection(*train)) if len(train) > 1 else []
    return [
        f"every training image shows '{name}', so nothing tells where it is: add images"
        " without it (no class in their label, or a folder 'background')"
        for name in always
    ]


def _left_out(count: Counter[str]) -> list[str]:
    named = ", ".join(f"{name} ({images})" for name, images in sorted(count.items()))
    return [f"left out, labels that are not classes of the run: {named}"] if count else []


def unknown_class(name: str, classes: Sequence[str]) -> str:
    """Describe an unknown class, with the nearest known one."""
    near = difflib.get_close_matches(name, classes, n=1)
    return f"unknown class '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")


def _split_problems(entries: Sequence[Entry], splits: Sequence[str]) -> list[str]:
    filled = {entry.split for entry in entries}
    return [f"split '{split}': has no images" for split in splits if split not in filled]


def _class_problems(
    entries: Sequence[Entry], classes: Sequence[str] | None, splits: Sequence[str]
) -> list[str]:
    if "train" not in splits:
        return []
    shown = set(class_names(None, entries))
    if classes is None:
        return _found_class_problems(entries, shown)
    return [f"class '{name}': no training image shows it" for name in classes if name not in shown]


def _doubtful_names(entries: Sequence[Entry]) -> list[str]:
    """Report classes that look like misspellings: same but for case, or similar but rare."""
    count = Counter(name for entry in entries for name in entry.classes)
    if len(count) > MOST_CLASSES:
        return []  # already reported as a problem
    commonest = count.most_common()
    plain = {name: name.casefold().strip(" .,/") for name in count}
    doubts = []
    for name, images in sorted(count.items()):
        near = [
            other
            for other, more in commonest
            if (plain[other] == plain[name] and (more, other) > (images, name))
            or (RARE * images <= more and _alike(plain[name], plain[other]))
        ]
        if near:
            shown = f"'{name}' ({images} images)" if images > 1 else f"'{name}' (1 image)"
            doubts.append(f"class {shown}: did you mean '{near[0]}' ({count[near[0]]})?")
        elif any(part.strip() in count for part in name.split(",")[1:]):
            doubts.append(f"class '{name}': separate several classes by ';', not by ','")
    return doubts


def _alike(a: str, b: str) -> bool:
    return difflib.SequenceMatcher(None, a, b).ratio() >= ALIKE


def _found_class_problems(entries: Sequence[Entry], shown: set[str]) -> list[str]:
    """Report what the settings would refuse if they named the classes that training images show."""
    unseen = {name for entry in entries for name in entry.classes} - shown
    problems = [] if shown or unseen or not entries else ["no training image shows any class"]
    problems += [f"class {n!r}: not usable as a class name" for n in unusable_names(sorted(shown))]
    if len(shown) > MOST_CLASSES:
        problems.append(
            f"{len(shown)} classes; label maps have room for {MOST_CLASSES}: name those that you"
            " want in data.classes, and leave the others out of the labels"
        )
    return problems + [
        f"class '{n}': val shows it, no training image does{LEAVE_OUT}" for n in sorted(unseen)
    ]
