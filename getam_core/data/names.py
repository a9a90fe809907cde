"""Which file a name means: names in tables are written in many ways, files have one name."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from getam_core.data.images import SUFFIXES
from getam_core.errors import joined_by_or

LEFT_OUT = ("__macosx", "@eadir")  # copies that macOS and Synology make
MASKS = "masks"


def is_visible(name: str) -> bool:
    """Whether a user made the file or folder: it is neither hidden nor a system's own copy."""
    return not name.startswith(".") and name.casefold() not in LEFT_OUT


def visible_folders(folder: Path) -> list[Path]:
    """Return the folders in `folder`, sorted, without masks/ and hidden ones."""
    if not folder.is_dir():
        return []
    there = sorted(path for path in folder.iterdir() if path.is_dir())
    return [path for path in there if is_visible(path.name) and path.name.casefold() != MASKS]


def is_image(path: Path) -> bool:
    """Whether a file's name is that of an image."""
    return path.suffix.lower() in SUFFIXES and is_visible(path.name)


def images_below(base: Path) -> list[Path]:
    """Return the images in `base` and its folders, sorted, without masks/ and hidden ones."""
    found = sorted(path for path in base.rglob("*") if is_image(path))
    inside = [(path, path.relative_to(base).parts[:-1]) for path in found]
    return [
        path
        for path, folders in inside
        if all(map(is_visible, folders)) and (not folders or folders[0].casefold() != MASKS)
    ]


def image_id_of(path: PurePosixPath | Path) -> str:
    """Return the id of an image by its path in the data set: "day1_7" for day1/7.jpg."""
    return composed("_".join(path.with_suffix("").parts))


def composed(name: str) -> str:
    """Return a name in one Unicode form: macOS writes "ä" as "a" and a diaeresis."""
    return unicodedata.normalize("NFC", name)


class ImageFiles:
    """The images below a folder, found by the names that tables give them.

    A name may differ in Unicode form or case, have backslashes or no suffix, and begin with the
    names of parent folders ("images/"). The subfolders that hold the image may be left out.

    Parameters
    ----------
    base : Path
        Folder of the images.
    above : sequence of str
        Names of parent folders that may precede the names.
    """

    def __init__(self, base: Path, above: Sequence[str] = ()):
        self.base, self.paths = base, images_below(base)
        self.above = {name.casefold() for name in ("images", base.name, *above)}
        self._by_name: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
        for path in self.paths:
            inside = composed(path.relative_to(base).as_posix())
            for place, name in (("whole", inside), ("file", PurePosixPath(inside).name)):
                for level, key in zip(LEVELS, _keys(name), strict=True):
                    self._by_name[f"{place} {level}", key].append(path)

    def find(self, name: str) -> Path | str:
        """Return the image that a name means, or what is wrong with the name."""
        text = composed(name.replace("\\", "/"))
        if text.startswith("/") and self.base in Path(text).parents:
            text = Path(text).relative_to(self.base).as_posix()
        if re.match(r"/|[A-Za-z]:/", text) or ".." in text.split("/"):
            return f"{name} lies outside {self.base.name}/; copy the image into it"
        for found in self._candidates(text):
            if len(found) > 1:
                inside = [path.relative_to(self.base).as_posix() for path in found[:3]]
                return f"{name} is ambiguous: {joined_by_or(inside)}; write the path"
            return found[0]
        bare = self._by_name["whole bare folded", text.rpartition(".")[0].casefold()]
        beside = f"; {bare[0].relative_to(self.base).as_posix()} is" if bare else ""
        return f"{name} is not in {self.base.name}/{beside}"

    def _candidates(self, text: str) -> Iterator[list[Path]]:
        """Yield what the name may mean, the most literal reading first."""
        names = [str(PurePosixPath(text))]
        while (cut := names[-1].partition("/"))[0].casefold() in self.above and cut[2]:
            names.append(cut[2])
        for place in ("whole", "file"):
            for level in LEVELS:
                for name in names if place == "whole" else names[-1:]:
                    key = name.casefold() if "folded" in level else name
                    if found := self._by_name.get((f"{place} {level}", key)):
                        yield found


LEVELS = ("as it is", "folded", "bare", "bare folded")


def _keys(name: str) -> tuple[str, ...]:
    bare = name.rpartition(".")[0]
    return name, name.casefold(), bare, bare.casefold()
