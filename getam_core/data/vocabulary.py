"""What a label says about an image: a class of the run, no class, or something to ask about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from getam_core.classes import plain_name

# Tools write these where an image shows nothing.
NOTHING = frozenset(
    {"", "background", "bg", "empty", "n/a", "na", "nan", "no class", "none", "nothing", "null"}
)
# Each is a class in some data sets and the lack of one in others.
DOUBTFUL = frozenset(
    {"0", "good", "healthy", "ignore", "negative", "no defect", "normal", "ok", "okay", "unknown"}
    | {"unlabeled", "unlabelled", "void"}
)


@dataclass
class Meaning:
    """Labels of an image, sorted by what they mean.

    Attributes
    ----------
    classes : tuple of str
        In the order of the run's classes; alphabetical if those are not given.
    nothing, doubtful, unknown : list of str
        Words for no class; words that may mean either; labels that are none of the given classes.
    """

    classes: tuple[str, ...] = ()
    nothing: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Vocabulary:
    """The labels of a data set.

    Attributes
    ----------
    classes : sequence of str, or None
        Names of the foreground classes; None takes those that are found.
    negative : sequence of str
        Further labels of images that show none of the classes ("good"); case does not matter.
    leave_out : bool
        Labels that are none of the run's classes are left out instead of being an error.
    """

    classes: Sequence[str] | None = None
    negative: Sequence[str] = ()
    leave_out: bool = False

    def read(self, labels: Iterable[str]) -> Meaning:
        """Sort labels by what they mean; a name in `classes` is always a class."""
        meaning, shown = Meaning(), set()
        negative = {plain_name(word) for word in self.negative}
        for label in dict.fromkeys(labels):
            plain = plain_name(label)
            if self.classes is not None and label in self.classes:
                shown.add(label)
            elif plain in NOTHING or plain in negative:
                meaning.nothing.append(label)
            elif plain in DOUBTFUL and not self.leave_out:
                meaning.doubtful.append(label)
            elif self.classes is not None:
                meaning.unknown.append(label)
            else:
                shown.add(label)
        order = sorted(shown) if self.classes is None else self.classes
        meaning.classes = tuple(name for name in order if name in shown)
        return meaning
