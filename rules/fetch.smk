# Public data sets, for machines with internet access: downloaded into data/, which is then a
# data_root, only if asked for by name. An interrupted download continues where it stopped; archives
# are removed once they are unpacked.
#
#   command                              what                size      at 100 Mbit/s
#   snakemake --cores 1 -- fetch_voc     PASCAL VOC 2012      2.0 GB    3 minutes
#   snakemake --cores 1 -- fetch_sbd     SBD, for train_aug   1.4 GB    2 minutes
#   snakemake --cores 3 -- fetch_coco    MS COCO 2014        20.4 GB   27 minutes
#   snakemake --cores 1 -- fetch_duts    DUTS-TR, saliency    0.3 GB    half a minute


include: "inputs/fetch.smk"


localrules:
    fetch_archive,
    unpack_archives,
    fetch_voc,
    fetch_sbd,
    fetch_coco,
    fetch_duts,


rule fetch_archive:
    output:
        archive=temp("data/archives/{archive}"),
    log:
        "data/logs/fetch_{archive}.log",
    retries: 3
    conda:
        "../envs/getam.yaml"
    shell:
        "python -m workflow_scripts.fetch_archive --out {output.archive} --log {log}"


rule unpack_archives:
    input:
        archives=archives_of,
    output:
        record="data/{dataset}.json",
    log:
        "data/logs/unpack_{dataset}.log",
    conda:
        "../envs/getam.yaml"
    shell:
        "python -m workflow_scripts.unpack_archives --archives {input.archives}"
        " --out {output.record} --log {log}"


rule fetch_voc:
    input:
        "data/voc.json",


rule fetch_sbd:
    input:
        "data/sbd.json",


rule fetch_coco:
    input:
        "data/coco.json",


rule fetch_duts:
    input:
        "data/duts.json",
