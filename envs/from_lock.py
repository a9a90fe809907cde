"""Write `getam.yaml` from `requirements.lock`: the pins themselves, not a path to them.

Snakemake copies the YAML alone into `.snakemake/conda/`, where no other file is found. Run it by
`make envs` after `make lock`.
"""

import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
LOCK = REPOSITORY / "requirements.lock"
ENVIRONMENT = REPOSITORY / "envs" / "getam.yaml"
PYTHON = "3.11"  # the lowest that the lock is resolved for
HEAD = "# Made from requirements.lock by `make envs`; pydensecrf2 is built by a C++ compiler.\n"


def pins(lock: str) -> list[str]:
    """Return the requirements of a lock file, without comments, hashes and local projects."""
    lines = (re.sub(r"(^|\s)#.*", "", line) for line in lock.replace("\\\n", " ").splitlines())
    kept = (re.sub(r"\s--hash=\S+", "", line).strip() for line in lines)
    return [line for line in kept if line and not re.match(r"-e\b|--editable\b|\.", line)]


def environment(lock: str) -> str:
    """Return the conda environment with the pins of a lock file, as YAML."""
    dependencies = [f"python={PYTHON}", "pip", {"pip": pins(lock)}]
    content = {"channels": ["conda-forge", "nodefaults"], "dependencies": dependencies}
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=200)


if __name__ == "__main__":
    ENVIRONMENT.write_text(environment(LOCK.read_text(encoding="utf-8")), encoding="utf-8")
