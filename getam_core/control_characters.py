"""Characters that no name may have, since they break lines or cannot be written as UTF-8."""

import unicodedata

# Unicode's categories of controls, line and paragraph separators, and surrogates. They exclude
# joiners and the unusual spaces that macOS puts into the names of screenshots.
CATEGORIES = ("Cc", "Zl", "Zp", "Cs")


def has_control_characters(text: str) -> bool:
    """Whether `text` has a line break, a tab, another control character, or a surrogate."""
    return any(map(_is_one, text))


def escaped(text: str) -> str:
    r"""Return `text` as one line that can be written: with `\n` for a line break, and so on."""
    return "".join(ascii(c)[1:-1] if _is_one(c) else c for c in text)


def _is_one(character: str) -> bool:
    return unicodedata.category(character) in CATEGORIES
