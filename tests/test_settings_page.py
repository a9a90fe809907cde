"""docs/settings.md and config/schema.json: current, complete, and true to the settings."""

import json
import re

import pytest
import yaml
from jsonschema import Draft7Validator

from getam_core.errors import InputError
from getam_core.settings import Settings, load_settings
from getam_core.settings.base import section_in
from getam_core.settings.describe import schema_text, settings_page
from tests.conftest import REPOSITORY

UNITS = re.compile(
    r"\b(px|grey levels|epochs?|steps?|iterations|minutes|images?|crops?|parts|patches|cells"
    r"|blocks?|layers|channels|GPUs?|factors?|shares?|exponents?|weight|decay|rate|norm|seed|0 to 1"
    r"|0\.\.1|0\.\.255)\b",
    re.IGNORECASE,
)
RUNS = sorted(REPOSITORY.glob("config/*.yaml"))


def keys(section=Settings, prefix=""):
    """Yield path and field of every key that holds a value."""
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if inner is None:
            yield f"{prefix}{name}", field
        else:
            yield from keys(inner, f"{prefix}{name}.")


@pytest.fixture(scope="module")
def schema():
    schema = json.loads((REPOSITORY / "config/schema.json").read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


@pytest.mark.parametrize(
    ("file", "made"), [("docs/settings.md", settings_page), ("config/schema.json", schema_text)]
)
def test_what_is_made_from_the_fields_is_current(file, made):
    assert (REPOSITORY / file).read_text(encoding="utf-8") == made(), "run: make docs"


def test_every_key_says_what_it_means_in_sentences():
    sentences = re.compile(r"[A-Z`].*\.$", re.DOTALL)
    described = {path: field.description or "" for path, field in keys()}
    assert not [path for path, text in described.items() if not sentences.match(text)]
    assert "train.epochs" in described and "pseudo_labels.alpha" in described


def test_numbers_name_their_unit():
    kinds = re.compile(r"\b(int|float)\b")
    numbers = {path: f.description for path, f in keys() if kinds.search(str(f.annotation))}
    assert not [path for path, text in numbers.items() if not UNITS.search(text)]
    assert len(numbers) > 50


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_the_schema_takes_every_run_that_ships_and_editors_find_it(schema, path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    schema.validate(yaml.safe_load(text))


@pytest.mark.parametrize("text", [
    "train: {learning_rate: 1e-3, epochs: '30', classification_epochs: 2}",
    "train: {learning_rate: {stem: 1, backbone: 1.0e-3, heads: '1e-3'}}",
    "predict: {flip: 'yes', crf: off, sizes: [256, null]}",
    "model: {weights: null, stem: {name: resnet18, weights: hub, feature_scale: [1, 2.5, 1e-2]}}",
    "data: {layout: folder, classes: null, negative: [good], columns: {classes: [cat, dog]}}",
    "data: {layout: folder, columns: {classes: breed}, val_share: .25}",
    "data_root: ~/voc\nsaliency: {images: '{data_root}/DUTS-TR'}\nmodel: {options: {depth: 3}}",
    "title: null\nevaluate: {seeds: []}\nablation: {alpha: [0, 1], images: null}",
])  # fmt: skip
def test_the_schema_takes_what_the_settings_take(schema, tmp_path, text):
    (tmp_path / "run.yaml").write_text(text)
    load_settings(tmp_path / "run.yaml")
    schema.validate(yaml.safe_load(text))


def test_the_schema_takes_a_part_of_a_base(schema, tmp_path):
    (tmp_path / "first.yaml").write_text("model: {weights: null, stem: {name: resnet18}}")
    text = "base: first\nmodel: {stem: {pad: 3}}\n"
    (tmp_path / "second.yaml").write_text(text)
    assert load_settings(tmp_path / "second.yaml").model.stem.name == "resnet18"
    schema.validate(yaml.safe_load(text))


@pytest.mark.parametrize("text", [
    "trian: {epochs: 3}",
    "train: {epoch: 3}",
    "train: {epochs: few}",
    "train: {epochs: 0}",
    "train: {learning_rate: {stem: 1, spine: 1}}",
    "pseudo_labels: {alpha: 1.5}",
    "pseudo_labels: {refinement: guided}",
    "predict: {flip: maybe, sizes: []}",
    "deeplab: {depth: 34}",
    "data: {classes: []}",
])  # fmt: skip
def test_the_schema_refuses_what_the_settings_refuse(schema, tmp_path, text):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(InputError):
        load_settings(tmp_path / "run.yaml")
    assert not schema.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("maps: {size: 0}", r"got 0\. Meaning: Long side .*\. docs/settings.md#maps"),
        ("data: {columns: {image: 3}}", r"Meaning: Name .*\. docs/settings.md#data$"),
        ("predict: {sizes: [0]}", r"sizes\.0: .*got 0\. Meaning: Long sides .*px; .* own\. docs"),
        ("shard_size: many", r"Meaning: Number of images .*docs/settings.md#top-level"),
        ("maps: {xyzzy: 3}", r"known here: size, .*docs/settings.md#maps"),
    ],
)
def test_a_wrong_value_is_told_what_its_key_means_and_where_all_are(tmp_path, text, said):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        load_settings(tmp_path / "run.yaml")
    message = str(error.value)
    assert re.search(said, message)
    anchor = re.search(r"docs/settings\.md#([\w-]+)", message)[1]
    assert f"\n## {anchor}\n" in settings_page().replace("Top level", "top-level")
