# GETAM as a workflow: image-level labels in, segmentation masks and their scores out.
# Ask for any file of a run: snakemake --cores 8 --resources gpu=1 -- results/voc/miou.json

from snakemake.utils import min_version

min_version("9.10")


include: "rules/common.smk"


from getam_core.downloads.archives import ARCHIVES, DATA_SETS
from getam_core.settings import CLASSIFIERS, MAP_STUDIES, METHOD_NAMES, SWEEPS, TABLES, Settings
from workflow_scripts.causes import causes


wildcard_constraints:
    run=r"[A-Za-z0-9_-]+",
    method="|".join(METHOD_NAMES),
    classifier="|".join(CLASSIFIERS.values()),
    split="train|val",
    of="|_val",
    shard=r"\d+",
    figure=r"seed_\w+|pseudo_labels(_val)?|network_labels|segmentation_(train|val)|deeplabv2_(train|val)(_crf)?",
    sweep="|".join(SWEEPS),
    study="|".join(MAP_STUDIES),
    table="|".join(TABLES),
    dataset="|".join(DATA_SETS),
    archive="|".join(map(re.escape, ARCHIVES)),
    crf="|_crf",


include: "rules/fetch.smk"
include: "rules/data.smk"
include: "rules/saliency.smk"
include: "rules/train.smk"
include: "rules/getam.smk"
include: "rules/pseudo_labels.smk"
include: "rules/retrain.smk"
include: "rules/evaluate.smk"
include: "rules/submission.smk"
include: "rules/ablation.smk"
include: "rules/review.smk"
include: "rules/report.smk"


localrules:
    demo,


rule demo:
    default_target: True
    input:
        "results/demo/miou.json",
        "results/demo/report.html",


onerror:
    if said := causes(log):
        print(said, file=sys.stderr)
