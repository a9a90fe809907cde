"""Names of classes and images, which users chose, as pictures show them."""

LONGEST = 40  # characters; a longer name would leave no room for the picture


def plain_text(name: str) -> str:
    """Return the text that matplotlib draws as `name`, shortened if it is long.

    Between two `$` matplotlib reads a formula, and fails if it is not one.
    """
    cut = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return cut.replace("$", r"\$")
