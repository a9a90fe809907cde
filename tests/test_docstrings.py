"""Docstrings are numpydoc, so that editors and Sphinx can read them; ruff checks their form.

Each parameter is described under its name in the signature, on lines of its own below its type.
"""

import ast
import inspect
import re
from pathlib import Path

LIBRARY = Path(__file__).parents[1] / "getam_core"
SECTIONS = {
    "Parameters", "Returns", "Yields", "Raises", "Attributes", "Notes", "References", "Examples",
}  # fmt: skip


def sections(docstring):
    """Return the unindented lines of every section, by its name."""
    lines, found, current = inspect.cleandoc(docstring).splitlines(), {}, None
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch("-{3,}", below):
            current = found.setdefault(line, [])
        elif current is not None and re.match(r"[^\s-]", line):
            current.append(line)
    return found


def described(path):
    """Yield every function and class with the sections of its docstring."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            yield node, sections(ast.get_docstring(node))


def arguments(node):
    """Return the names of a function's arguments; of a class, its fields and `__init__`'s."""
    if isinstance(node, ast.ClassDef):
        own = [item for item in node.body if isinstance(item, ast.AnnAssign)]
        inits = [item for item in node.body if getattr(item, "name", "") == "__init__"]
        return [item.target.id for item in own] + [
            name for init in inits for name in arguments(init)
        ]
    given = node.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    starred = [("*", given.vararg), ("**", given.kwarg)]
    return names + [stars + argument.arg for stars, argument in starred if argument]


def test_docstrings_describe_the_arguments_below_their_types():
    wrong = []
    for path in sorted(LIBRARY.rglob("*.py")):
        for node, found in described(path):
            where = f"{path}:{node.lineno}: {node.name}"
            wrong += [f"{where}: {name} is no section" for name in found.keys() - SECTIONS]
            for line in found.get("Parameters", []):
                names, _, kind = line.partition(" : ")
                gone = set(names.split(", ")) - set(arguments(node))
                wrong += [f"{where}: it has no argument {name}" for name in sorted(gone)]
                if kind.endswith((".", ";", ":", ",")):
                    wrong.append(f"{where}: {kind!r} is no type; describe {names} below it")
    assert not wrong, "\n".join(wrong)
