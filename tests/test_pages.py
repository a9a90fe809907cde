"""The pages of docs: the settings take what they tell people to write, and no link is broken."""

import re
import shlex
import shutil
import textwrap

import pytest
import yaml

from getam_core.settings import Settings, load_settings
from tests.conftest import REPOSITORY
from tests.settings_keys import leaves

CONFIG = REPOSITORY / "config"
OTHERS = {"results", "data", "shared"}  # folders that are not part of the repository
PAGES = [
    page
    for page in sorted(REPOSITORY.rglob("*.md"))
    if not any(part in OTHERS or part[0] == "." for part in page.relative_to(REPOSITORY).parts)
]

# Decisions may name keys of the past; settings.md names keys within their section.
PAST = ("decisions.md", "CHANGELOG.md", "settings.md")
OF_TODAY = [page for page in PAGES if page.name not in PAST]
FILES = (  # files of a run whose names begin like a section
    "saliency.h5", "saliency.json", "saliency.pt", "maps.h5", "train.pt", "train.aside1.pt",
    "train.best.pt", "submission.json", "submission.tar.gz", "data.yaml",
)  # fmt: skip


def name(page):
    return str(page.relative_to(REPOSITORY))


def blocks(kind):
    found = re.compile(rf"^ *```{kind}\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    return [
        (name(page), textwrap.dedent(block))
        for page in PAGES
        for block in found.findall(page.read_text(encoding="utf-8"))
    ]


RUNS = blocks("yaml")
LINES = [
    (page, line)
    for page, block in blocks("(?:bash)?")
    for line in block.replace("\\\n", " ").splitlines()
    if "--config" in line
]


def overrides(line):
    """Return the keys and values after --config, as Snakemake reads them."""
    words = shlex.split(line.partition("--config")[2], comments=True)
    pairs = [word.partition("=") for word in words if re.match(r"[a-z_]+=", word)]
    return {key: yaml.safe_load(value) for key, _, value in pairs}


@pytest.mark.parametrize(("page", "text"), RUNS)
def test_runs_that_a_page_shows_hold(tmp_path, page, text):
    config = shutil.copytree(CONFIG, tmp_path / "config")
    (config / "shown.yaml").write_text(text)
    load_settings(config / "shown.yaml")


@pytest.mark.parametrize(("page", "line"), LINES)
def test_overrides_that_a_page_shows_hold(page, line):
    named = re.search(r"results/(\w+)[/{]", line)
    shown = CONFIG / f"{named[1] if named else 'own'}.yaml"
    load_settings(shown if shown.exists() else CONFIG / "own.yaml", overrides(line))


def test_examples_are_found():
    assert len(RUNS) >= 6 and len(LINES) >= 24
    assert {"README.md", "docs/guides/runs.md"} <= {page for page, _ in LINES}


@pytest.mark.parametrize("page", OF_TODAY, ids=name)
def test_keys_that_a_page_names_exist(page):
    named = re.findall(r"`([a-z]\w*(?:\.\w+)+)(: [^`]*)?`", page.read_text(encoding="utf-8"))
    sections = set(Settings.model_fields)
    keys = {key for key, value in named if key.split(".")[0] in sections and "unknown" not in value}
    known = [*leaves(Settings), *FILES]
    assert not [key for key in keys if not any(f"{k}.".startswith(f"{key}.") for k in known)]


def text_of(page):
    """A page without its code blocks, whose brackets are not links."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_inside_the_repository_lead_somewhere(page):
    text = re.sub(r"`[^`\n]*`(?!\])", "", text_of(page))
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if re.match(r"\w+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert not lost


def test_links_that_lead_nowhere_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# What it's for\n[a](b.md) [here](#what-its-for) [no](#elsewhere)\n")
    with pytest.raises(AssertionError, match=r"\['b\.md', '#elsewhere'\]"):
        test_links_inside_the_repository_lead_somewhere(page)


def test_every_run_that_ships_is_in_the_index_and_no_other():
    listed = re.findall(r"\[`(\w+)`\]\((\w+)\.yaml\)", (CONFIG / "README.md").read_text())
    assert all(run == file for run, file in listed)
    assert sorted(run for run, _ in listed) == sorted(path.stem for path in CONFIG.glob("*.yaml"))


def test_every_page_of_docs_is_in_their_index():
    index = (REPOSITORY / "docs/README.md").read_text(encoding="utf-8")
    pages = {str(p.relative_to(REPOSITORY / "docs")) for p in REPOSITORY.glob("docs/**/*.md")}
    assert pages - {"README.md"} <= set(re.findall(r"\]\(([\w/]+\.md)\)", index))
