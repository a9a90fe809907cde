# Pseudo labels from stored maps: a change of alpha, gamma or the refinement starts here. Each shard is
# a job, which resumes by itself from results/<run>/state/. On request, also those of val, in
# labels_val.h5, from its images' own classes.


include: "inputs/pseudo_labels.smk"


rule pseudo_labels:
    input:
        index="results/{run}/index.csv",
        maps=label_maps,
        saliency=label_saliency,
    output:
        shard=temp("results/{run}/pseudo_labels/shards{of}/{shard}.h5"),
    log:
        "results/{run}/logs/pseudo_labels{of}_{shard}.log",
    benchmark:
        "results/{run}/benchmarks/pseudo_labels{of}_{shard}.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        mem_mb=mem_mb,
        runtime=runtime(shard=shard_size),
    params:
        settings=stage_settings("pseudo_labels"),
        saliency=option_of("saliency"),
        split=split_of,
        shard_size=shard_size,
        state="results/{run}/state/pseudo_labels{of}_{shard}",
    shell:
        "python -m workflow_scripts.pseudo_labels --split {params.split} --index {input.index}"
        " --maps {input.maps} {params.saliency} --shard {wildcards.shard}"
        " --shard-size {params.shard_size} --settings {params.settings:q} --threads {threads}"
        " --state {params.state} --out {output.shard} --log {log}"


rule merge_labels:
    input:
        index="results/{run}/index.csv",
        shards=label_shards,
    output:
        labels="results/{run}/pseudo_labels/labels{of}.h5",
    log:
        "results/{run}/logs/merge_labels{of}.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("pseudo_labels"),  # as in merge_maps
        split=split_of,
        shards=number_of_shards,
    shell:
        MERGE


# Labels by the trained network, restricted to the classes of each image: for a second round.
rule network_labels:
    input:
        index="results/{run}/index.csv",
        checkpoint=network_that_segments,
    output:
        shard=temp("results/{run}/pseudo_labels/network_shards/{shard}.h5"),
    log:
        "results/{run}/logs/network_labels_{shard}.log",
    benchmark:
        "results/{run}/benchmarks/network_labels_{shard}.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        mem_mb=mem_mb,
        runtime=runtime(shard=shard_size),
        gpu=gpus,
        device=device,
    params:
        settings=stage_settings("data", "predict"),
        shard_size=shard_size,
        state="results/{run}/state/network_labels_{shard}",
    shell:
        "python -m workflow_scripts.network_labels --split train --index {input.index}"
        " --checkpoint {input.checkpoint} --shard {wildcards.shard}"
        " --shard-size {params.shard_size} --settings {params.settings:q} --threads {threads}"
        " --device {resources.device} --state {params.state} --out {output.shard} --log {log}"


use rule merge_labels as merge_network_labels with:
    input:
        index="results/{run}/index.csv",
        shards=network_label_shards,
    output:
        labels="results/{run}/pseudo_labels/network.h5",
    log:
        "results/{run}/logs/merge_network_labels.log",
    params:
        settings=stage_settings("data", "predict"),
        split="train",
        shards=number_of_shards,


# One PNG per image, to look at and to share.
rule export_png:
    input:
        labels="results/{run}/pseudo_labels/labels.h5",
    output:
        folder=directory("results/{run}/pseudo_labels/png"),
    log:
        "results/{run}/logs/export_png.log",
    conda:
        "../envs/getam.yaml"
    shell:
        "python -m getam_core.stores export {input.labels} {output.folder} 2> {log}"


use rule export_png as export_predictions with:
    input:
        labels="results/{run}/predictions/val.h5",
    output:
        folder=directory("results/{run}/predictions/png"),
    log:
        "results/{run}/logs/export_predictions.log",
