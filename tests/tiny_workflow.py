"""Snakemake over the repository's rules, on a made data set that takes seconds."""

import json
import re
import subprocess
from pathlib import Path

import yaml

from tests.warm_python import warm_python

TINY = {
    "device": "cpu",
    "data": {
        "layout": "scenes",
        "scenes": {"train": 40, "val": 12, "salient": 16, "size": 32},
    },
    "model": {
        "name": "vit_tiny_patch16_224",
        "image_size": 32,
        "options": {"patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2},
        "weights": None,
        "decoder_width": 8,
    },
    "saliency": {
        "encoder": {"name": "test_resnet", "weights": None, "max_stride": 16},
        "width": 8,
        "size": 32,
        "scale_range": [32, 40],
        "epochs": 1,
    },
    "train": {"epochs": 2, "classification_epochs": 1, "crop_size": 32, "scale_range": [32, 40]},
    "ablation": {"alpha": [0.5, 0.9], "gamma": [2, 32]},
}
END = ["results/tiny/miou.json", "results/tiny/report.html"]


class Workflow:
    """Snakemake in its own folder, with the repository's rules."""

    def __init__(self, folder: Path, repository: Path):
        self.folder, self.repository = folder, repository

    def command(self, targets, *options, python=None):
        # With a second core, stages would start workers, each of which imports torch again.
        start = [python or warm_python(), "-m", "snakemake", "--cores", "1"]
        start += ["--directory", self.folder]
        start += ["--snakefile", self.repository / "Snakefile", "--nocolor", *options]
        return [str(part) for part in [*start, "--", *targets]]

    def configure(self, **sections):
        (self.folder / "config").mkdir(exist_ok=True)
        (self.folder / "config" / "tiny.yaml").write_text(yaml.safe_dump(TINY | sections))

    def run(self, targets, *options):
        done = subprocess.run(self.command(targets, *options), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done

    def refuse(self, targets, *options):
        """Run a command that must fail; return the line that says why."""
        done = subprocess.run(self.command(targets, *options), capture_output=True, text=True)
        assert done.returncode != 0
        return done.stdout + done.stderr

    def planned(self, *options, targets=END):
        """Names of the rules that would run."""
        listed = self.run(targets, "--dry-run", *options)
        said = listed.stdout + listed.stderr
        return set(re.findall(r"^(?:localrule|rule|checkpoint) (\w+):", said, re.M))

    def miou(self):
        return json.loads((self.folder / "results/tiny/miou.json").read_text())
