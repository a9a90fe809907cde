# Activation maps of GETAM and of the methods it is compared with: of the training images, or, in
# maps_val.h5, of the val images. Each shard is a job, which resumes by itself from results/<run>/state/.


include: "inputs/getam.smk"


rule export_maps:
    input:
        index="results/{run}/index.csv",
        checkpoint=network_of_method,
    output:
        shard=temp("results/{run}/{method}/shards{of}/{shard}.h5"),
    log:
        "results/{run}/logs/export_maps_{method}{of}_{shard}.log",
    benchmark:
        "results/{run}/benchmarks/export_maps_{method}{of}_{shard}.tsv"
    conda:
        "../envs/getam.yaml"
    threads: inference_threads
    resources:
        mem_mb=mem_mb,
        runtime=runtime(shard=shard_size),
        gpu=gpus,
        device=device,
    params:
        settings=map_settings,
        split=split_of,
        shard_size=shard_size,
        state="results/{run}/state/maps_{method}{of}_{shard}",
    shell:
        "python -m workflow_scripts.export_maps --method {wildcards.method} --index {input.index}"
        " --checkpoint {input.checkpoint} --split {params.split} --shard {wildcards.shard}"
        " --shard-size {params.shard_size} --settings {params.settings:q} --threads {threads}"
        " --device {resources.device} --state {params.state} --out {output.shard} --log {log}"


rule merge_maps:
    input:
        index="results/{run}/index.csv",
        shards=map_shards,
    output:
        maps="results/{run}/{method}/maps{of}.h5",
    log:
        "results/{run}/logs/merge_maps_{method}{of}.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=map_settings,  # not read: a change must remake the shards, which are gone
        split=split_of,
        shards=number_of_shards,
    shell:
        MERGE
