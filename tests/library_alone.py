"""The README's library examples, with only the library installed: `make test-library`."""

import re
import sys
from pathlib import Path

import torch

import getam_core

REPOSITORY = Path(__file__).parents[1]


def main() -> None:
    assert REPOSITORY / "getam_core" not in Path(getam_core.__file__).parents, "not installed"
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    lines = next(block for block in blocks if "import getam" in block)
    targets = torch.zeros(2, 1000, dtype=torch.bool)
    targets[0, 281] = targets[1, 207] = targets[1, 281] = True
    names = {"images": torch.rand(2, 3, 224, 224), "targets": targets}
    exec(lines.replace("pretrained=True", "pretrained=False"), names)
    assert names["maps"].shape == (3, 14, 14) and names["logits"].shape == (2, 1000)
    assert torch.isfinite(names["maps"]).all() and (names["maps"].amax((1, 2)) > 0).all()
    sys.stdout.write(f"{len(lines.splitlines())} lines of README.md: maps of (3, 14, 14)\n")


if __name__ == "__main__":
    main()
