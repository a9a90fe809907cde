# Class-agnostic saliency of the training images, or, in saliency_val.h5, of the val images: from a
# network trained on other images, or given.


include: "inputs/saliency.smk"


rule train_saliency:
    input:
        images=saliency_training_images,
        # Not read, but waited for: wrong data is found before the training, not after it.
        index=ancient("results/{run}/index.csv"),
    output:
        network="results/{run}/saliency/network.pt",
        scores="results/{run}/saliency.json",
    log:
        "results/{run}/logs/train_saliency.log",
    benchmark:
        "results/{run}/benchmarks/train_saliency.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        **of_a_training("train_saliency", section="saliency"),
    params:
        settings=stage_settings("seed", "saliency"),
        state="results/{run}/state/saliency.pt",
        events="results/{run}/saliency/tensorboard",
    shell:
        "{resources.launcher}workflow_scripts.train_saliency --images {input.images:q}"
        " --settings {params.settings:q} --saving {resources.saving:q} {resources.anew}--state {params.state}"
        " --events {params.events} --threads {threads} --device {resources.device}"
        " --scores {output.scores} --out {output.network} --log {log}"


rule make_saliency:
    input:
        index="results/{run}/index.csv",
        network=saliency_network,
    output:
        shard=temp("results/{run}/saliency/shards{of}/{shard}.h5"),
    log:
        "results/{run}/logs/make_saliency{of}_{shard}.log",
    benchmark:
        "results/{run}/benchmarks/make_saliency{of}_{shard}.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        mem_mb=mem_mb,
        runtime=runtime(shard=SALIENCY_SHARD),
        gpu=gpus,
        device=device,
    params:
        settings=stage_settings("data", "saliency"),
        network=option_of("network"),
        split=split_of,
        shard_size=SALIENCY_SHARD,
        state="results/{run}/state/saliency{of}_{shard}",
    shell:
        "python -m workflow_scripts.make_saliency --index {input.index} {params.network}"
        " --split {params.split} --shard {wildcards.shard} --shard-size {params.shard_size}"
        " --settings {params.settings:q} --threads {threads} --device {resources.device}"
        " --state {params.state} --out {output.shard} --log {log}"


rule merge_saliency:
    input:
        index="results/{run}/index.csv",
        shards=saliency_shards,
    output:
        saliency="results/{run}/saliency{of}.h5",
    log:
        "results/{run}/logs/merge_saliency{of}.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("data", "saliency"),  # as in merge_maps
        split=split_of,
        shards=number_of_shards,
    shell:
        MERGE
