"""The demo, small, as a user calls it: one Snakemake process per call, which can be waited for."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

SMALL = [
    "device=auto",
    "data={scenes: {train: 48, val: 12, salient: 24}}",
    "saliency={epochs: 1}",
    "predict={sizes: [96]}",
]
SHORT = "train={epochs: 3, classification_epochs: 1}"
END = ["results/demo/miou.json", "results/demo/report.html"]
CHECKPOINT = "results/demo/train/checkpoint.pt"


class Demo:
    """`config/demo.yaml` in a folder of its own; `options` say where its jobs run."""

    def __init__(self, folder: Path, repository: Path):
        self.folder, self.repository = folder, repository
        self.options: list[str] = []
        self.environment = dict(os.environ)
        self.made = folder / "results" / "demo"
        shutil.copytree(repository / "config", folder / "config")

    def start(
        self, targets: list[str], *config: str, more: tuple[str, ...] = ()
    ) -> subprocess.Popen:
        """Start Snakemake; what it says goes to `snakemake.out`."""
        command = [sys.executable, "-m", "snakemake", "--directory", str(self.folder)]
        command += ["--snakefile", str(self.repository / "Snakefile"), "--nocolor", *self.options]
        command += [*more, "--config", *SMALL, *config, "--", *targets]
        with (self.folder / "snakemake.out").open("ab") as out:
            return subprocess.Popen(
                command, env=self.environment, stdout=out, stderr=out, start_new_session=True
            )

    def run(self, targets: list[str], *config: str, more: tuple[str, ...] = ()) -> None:
        """Run to the end, which must succeed."""
        before = len(self.said())
        assert self.start(targets, *config, more=more).wait(3000) == 0, self.said()[before:][-6000:]

    def said(self) -> str:
        """Return the output of all calls so far."""
        file = self.folder / "snakemake.out"
        return file.read_text() if file.exists() else ""

    def log(self, stage: str) -> str:
        """Return the log of a stage."""
        file = self.made / "logs" / f"{stage}.log"
        return file.read_text() if file.exists() else ""

    def miou(self) -> dict:
        """Return what was scored."""
        return json.loads((self.made / "miou.json").read_text())

    def network(self) -> str:
        """Return a checksum of the trained network."""
        return hashlib.sha256((self.folder / CHECKPOINT).read_bytes()).hexdigest()

    def times(self) -> dict[Path, int]:
        """Return when each file that training reads was made."""
        files = [self.made / "index.csv", *self.made.glob("scenes/ImageSets/*/*.txt")]
        return {file: file.stat().st_mtime_ns for file in files}

    def forget_training(self) -> None:
        """Remove what a training made: outputs, state, kept results and log."""
        shutil.rmtree(self.made / "train", ignore_errors=True)
        for file in self.made.glob("state/train.*"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        (self.made / "logs" / "train.log").unlink(missing_ok=True)
