"""The page of all settings and their JSON schema, written from the fields.

`make docs`, or

    python -m getam_core.settings.describe --page docs/settings.md --schema config/schema.json
"""

import argparse
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from getam_core.settings.base import Section, section_in
from getam_core.settings.schema import settings_schema
from getam_core.settings.sections import Settings
from getam_core.settings.values import default_of, values_of

HEAD = """\
# Settings

All keys that `config/<run>.yaml` and `--config` may set. A file names only what differs from the
defaults; [guides/runs.md](guides/runs.md) says how. "The paper" is Sun et al., GETAM, 2021, and
"the released code" is its authors'. [decisions.md](decisions.md) says why a reading was chosen.

`make docs` writes this page, and `config/schema.json` for editors, from `getam_core/settings/`. To
add a key, write its field there, its meaning and unit in a docstring under the field, and run
`make docs`.
"""
TABLE = "| key | values | default | meaning |\n| --- | --- | --- | --- |\n"


def write(page: Path, schema: Path) -> None:
    """Write the Markdown page and the JSON schema."""
    page.write_text(settings_page(), encoding="utf-8")
    schema.write_text(schema_text(), encoding="utf-8")


def schema_text() -> str:
    """Return the JSON schema as its file has it."""
    return json.dumps(settings_schema(), indent=1, ensure_ascii=False) + "\n"


def settings_page() -> str:
    """Return the page: a heading and a table for each section, a row for each key."""
    tables = _Tables()
    parts = [HEAD, "## Top level\n", TABLE + "\n".join(tables.top()) + "\n"]
    for section, name in list(tables.homes.items()):
        rows = "\n".join(tables.rows(section, name))
        parts += [f"## {name}\n", _linked(inspect.getdoc(section)) + "\n", f"{TABLE}{rows}\n"]
    return "\n".join(parts)


class _Tables:
    """Rows of keys. `homes` is where the page explains each section: others refer to it."""

    def __init__(self) -> None:
        schema = settings_schema()
        self.definitions = schema["$defs"] | {"Settings": schema}
        sections = {name: section_in(f.annotation) for name, f in Settings.model_fields.items()}
        self.homes = {section: name for name, section in sections.items() if section}

    def top(self) -> list[str]:
        """Return the rows of the keys that are in no section."""
        fields = Settings.model_fields.items()
        return [self._key(Settings, name) for name, f in fields if not section_in(f.annotation)]

    def rows(self, section: type[Section], place: str, prefix: str = "") -> Iterator[str]:
        """Yield a row for each key of a section, those of inner sections under dotted names."""
        for name, field in section.model_fields.items():
            inner = section_in(field.annotation)
            if inner is None or "anyOf" in self.definitions[inner.__name__]:
                yield self._key(section, name, prefix)
            else:
                yield from self._inner(field, inner, f"{place}.{prefix}{name}", prefix + name)

    def _inner(
        self, field: FieldInfo, section: type[Section], place: str, name: str
    ) -> Iterator[str]:
        home = next((base for base in section.__mro__ if base in self.homes), None)
        meaning = field.description or inspect.getdoc(section) or ""
        if home is not None:
            where = self.homes[home]
            differ = "" if home is section else ", except for these"
            meaning += f" The keys of [`{where}`](#{where.partition('.')[0]}){differ}."
        nothing = "section, `null`" if field.default is None else "section"
        yield _row(name, nothing, "`null`" if field.default is None else "", meaning)
        if home is None:
            self.homes[section] = place
            yield from self.rows(section, place.partition(".")[0], f"{name}.")
        elif home is not section:
            for own in section.__annotations__:
                yield self._key(section, own, f"{name}.")

    def _key(self, section: type[Section], name: str, prefix: str = "") -> str:
        field, node = section.model_fields[name], self.definitions[section.__name__]
        values = values_of(node["properties"][name], self.definitions)
        return _row(prefix + name, values, default_of(field), field.description or "")


def _row(name: str, values: str, default: str, meaning: str) -> str:
    cells = (f"`{name}`", values, default, _linked(meaning))
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _linked(text: str | None) -> str:
    """Make a link of the name of each page: `docs/data.md` is `[data.md](data.md)`."""
    return re.sub(r"docs/([\w/]+\.md)", r"[\1](\1)", text or "")


def main() -> None:
    """Write both files where the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--schema", type=Path, required=True)
    write(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
