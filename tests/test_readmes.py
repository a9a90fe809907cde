"""The README pages of the methods' packages: their examples run, and no method is missing."""

import re

import pytest

from getam_core.activation import METHODS


@pytest.mark.parametrize("room", ["activation", "refine", "labels"])
def test_the_examples_of_a_page_run_from_top_to_bottom(room, repository):
    page = (repository / "getam_core" / room / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert examples
    exec("\n".join(examples), {})


@pytest.mark.parametrize("room", ["activation", "refine", "labels"])
def test_the_pictures_of_a_page_are_there(room, repository):
    page = repository / "getam_core" / room / "README.md"
    for link in re.findall(r"!\[.*?\]\((.*?)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).is_file(), link


def test_every_method_has_a_section(repository):
    page = (repository / "getam_core/activation/README.md").read_text(encoding="utf-8")
    titles = " ".join(re.findall(r"^## (.*)$", page, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", titles)) == set(METHODS)
