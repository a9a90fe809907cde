"""What it takes to plan a run of many images: `python -m benchmarks.planning 1000 10000 100000`.

A dry run of the real Snakefile with VOC's settings, on an index with that many training images.
Time is CPU time, so that other work on the machine does not count.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
RUN = {"data_root": ".", "saliency": {"images": "."}, "model": {"weights": None}}
SIZES = (1_000, 10_000, 100_000)


def planned(images: int, folder: Path) -> tuple[float, float, int]:
    """Plan a run of `images` training images; return seconds, peak memory in MB, jobs."""
    (folder / "config").mkdir()
    (folder / "results" / "made").mkdir(parents=True)
    settings = yaml.safe_load((REPOSITORY / "config" / "voc.yaml").read_text())
    for section, keys in RUN.items():
        settings[section] = settings.get(section, {}) | keys if isinstance(keys, dict) else keys
    (folder / "config" / "made.yaml").write_text(yaml.safe_dump(settings))
    write_index(folder / "results" / "made" / "index.csv", images)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--cores", "8", "--dry-run", "--quiet", "rules", "--", "results/made/miou.json"]
    with (folder / "plan").open("w") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    said = (folder / "plan").read_text()
    if status:
        raise RuntimeError(said[-3000:])
    jobs = next(line for line in said.splitlines() if line.startswith("total"))
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, int(jobs.split()[1])


def write_index(path: Path, images: int) -> None:
    """Write an index of made-up names: `images` of train, and a ninth as many of val."""
    with path.open("w") as file:
        file.write("image_id,image,split,classes\n")
        for split, count in (("train", images), ("val", images // 9)):
            for i in range(count):
                name = f"{split}_{i:08d}"
                file.write(f"{name},VOCdevkit/VOC2012/JPEGImages/{name}.jpg,{split},cat;dog\n")


def main() -> None:
    """Print a row for each number of images."""
    print("| images | jobs | seconds | memory, MB |\n| ---: | ---: | ---: | ---: |")
    for images in map(int, sys.argv[1:]) if sys.argv[1:] else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            seconds, megabytes, jobs = planned(images, Path(folder))
        print(f"| {images:,} | {jobs:,} | {seconds:.0f} | {megabytes:.0f} |", flush=True)


if __name__ == "__main__":
    main()
