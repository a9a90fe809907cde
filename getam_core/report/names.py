"""Names that other people chose, as pictures show them."""

LONGEST = 40  # characters; a longer name would leave no room for the picture


def plain_text(name: str) -> str:
    """Return the text that matplotlib draws as `name`, cut where it is long.

    Between two `$` matplotlib sees a formula, and fails where there is none.
    """
    cut = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return cut.replace("$", r"\$")
