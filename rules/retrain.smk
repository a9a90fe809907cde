# DeepLabv2 on label maps: only on request. Resumes by itself from results/<run>/state/.


include: "inputs/retrain.smk"


localrules:
    merge_deeplab_entries,


# The supervised ceiling, for runs that say `supervision: masks`.
rule masks_as_labels:
    input:
        index="results/{run}/index.csv",
        masks="results/{run}/evaluation/masks_train.csv",
    output:
        labels="results/{run}/evaluation/masks_train.h5",
    log:
        "results/{run}/logs/masks_as_labels.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("data", ground_truth=True),
    shell:
        "python -m workflow_scripts.masks_as_labels --index {input.index} --masks {input.masks}"
        " --settings {params.settings:q} --out {output.labels} --log {log}"


rule retrain_deeplab:
    input:
        index="results/{run}/index.csv",
        labels=retraining_labels,
    output:
        checkpoint="results/{run}/deeplabv2/checkpoint.pt",
        metrics="results/{run}/deeplabv2/metrics.csv",
    log:
        "results/{run}/logs/retrain_deeplab.log",
    benchmark:
        "results/{run}/benchmarks/retrain_deeplab.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        **of_a_training("retrain_deeplab", section="deeplab"),
    params:
        settings=stage_settings("seed", "data", "deeplab"),
        state="results/{run}/state/deeplabv2.pt",
        events="results/{run}/deeplabv2/tensorboard",
    shell:
        "{resources.launcher}workflow_scripts.retrain_deeplab --index {input.index}"
        " --labels {input.labels:q} --settings {params.settings:q} --saving {resources.saving:q} {resources.anew}"
        " --state {params.state} --events {params.events} --threads {threads} --device {resources.device}"
        " --metrics {output.metrics} --out {output.checkpoint} --log {log}"


# predictions.h5 and, with `deeplab_test.crf`, predictions_crf.h5, from one pass over the images.
rule predict_deeplab:
    input:
        index="results/{run}/index.csv",
        checkpoint="results/{run}/deeplabv2/checkpoint.pt",
    output:
        folder=temp(directory("results/{run}/deeplabv2/shards_{split}/{shard}")),
    log:
        "results/{run}/logs/predict_deeplab_{split}_{shard}.log",
    benchmark:
        "results/{run}/benchmarks/predict_deeplab_{split}_{shard}.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        mem_mb=mem_mb,
        runtime=runtime(shard=shard_size),
        gpu=gpus,
        device=device,
    params:
        settings=stage_settings("data", "deeplab_test"),
        shard_size=shard_size,
        state="results/{run}/state/deeplab_{split}_{shard}",
    shell:
        "python -m workflow_scripts.predict_deeplab --split {wildcards.split} --index {input.index}"
        " --checkpoint {input.checkpoint} --shard {wildcards.shard}"
        " --shard-size {params.shard_size} --settings {params.settings:q} --threads {threads}"
        " --device {resources.device} --state {params.state} --out {output.folder} --log {log}"


rule merge_deeplab:
    input:
        index="results/{run}/index.csv",
        shards=deeplab_shards,
    output:
        folder=directory("results/{run}/deeplabv2/{split}"),
    log:
        "results/{run}/logs/merge_deeplab_{split}.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("data", "deeplab_test"),  # as in merge_maps
        split="{split}",
        shards=number_of_shards,
    shell:
        MERGE


rule evaluate_deeplab:
    input:
        index="results/{run}/index.csv",
        masks="results/{run}/evaluation/masks_{split}.csv",
        predictions="results/{run}/deeplabv2/{split}",
        counts=counts_of("deeplabv2_{split}{crf}"),
    output:
        entry="results/{run}/evaluation/deeplabv2_{split}{crf}.json",
        images="results/{run}/evaluation/images_deeplabv2_{split}{crf}.csv",
        confusion="results/{run}/evaluation/confusion_deeplabv2_{split}{crf}.csv",
    log:
        "results/{run}/logs/evaluate_deeplab_{split}{crf}.log",
    conda:
        "../envs/getam.yaml"
    params:
        counts=option_of_counts,
        ground_truth=stage_settings("data", ground_truth=True),
    shell:
        "python -m workflow_scripts.evaluate_labels --split {wildcards.split} --index {input.index}"
        " --masks {input.masks} --labels {input.predictions}/predictions{wildcards.crf}.h5"
        " {params.counts}"
        " --images {output.images} --confusion {output.confusion} --out {output.entry} --log {log}"


rule merge_deeplab_entries:
    input:
        index="results/{run}/index.csv",
        entries=entries_of_retraining,
    output:
        miou="results/{run}/deeplabv2/miou.json",
    log:
        "results/{run}/logs/merge_deeplab_entries.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("data", "title"),
    shell:
        "python -m workflow_scripts.merge_entries --run {wildcards.run} --index {input.index}"
        " --entries {input.entries} --settings {params.settings:q} --out {output.miou} --log {log}"
