# Predictions, and the scores of maps, labels and predictions: ground truth is opened from here on.
# A stage that opens masks has `ground_truth` among its params: the masks' meaning may change while the
# list of their files stays the same.


include: "inputs/evaluate.smk"


localrules:
    merge_entries,


rule predict:
    input:
        index=index_of_split,
        checkpoint="results/{run}/train/checkpoint.pt",
    output:
        shard=temp("results/{run}/predictions/shards_{split}/{shard}.h5"),
    log:
        "results/{run}/logs/predict_{split}_{shard}.log",
    benchmark:
        "results/{run}/benchmarks/predict_{split}_{shard}.tsv"
    wildcard_constraints:
        split="train|val|test",
    conda:
        "../envs/getam.yaml"
    threads: inference_threads
    resources:
        mem_mb=mem_mb,
        runtime=runtime(shard=shard_size),
        gpu=gpus,
        device=device,
    params:
        settings=stage_settings("data", "predict"),
        shard_size=shard_size,
        state="results/{run}/state/predictions_{split}_{shard}",
    shell:
        "python -m workflow_scripts.predict --split {wildcards.split} --index {input.index}"
        " --checkpoint {input.checkpoint} --shard {wildcards.shard}"
        " --shard-size {params.shard_size} --settings {params.settings:q} --threads {threads}"
        " --device {resources.device} --state {params.state} --out {output.shard} --log {log}"


rule merge_predictions:
    input:
        index=index_of_split,
        shards=prediction_shards,
    output:
        predictions="results/{run}/predictions/{split}.h5",
    log:
        "results/{run}/logs/merge_predictions_{split}.log",
    wildcard_constraints:
        split="train|val|test",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("data", "predict"),  # as in merge_maps
        split="{split}",
        shards=number_of_shards,
    shell:
        MERGE


rule check_masks:
    input:
        index="results/{run}/index.csv",
    output:
        masks="results/{run}/evaluation/masks_{split}.csv",
    log:
        "results/{run}/logs/check_masks_{split}.log",
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        mem_mb=mem_mb,
        runtime=runtime(),
    params:
        settings=stage_settings("data", ground_truth=True),
        root=data_folder,
    shell:
        "python -m workflow_scripts.check_masks --split {wildcards.split} --root {params.root:q}"
        " --index {input.index} --settings {params.settings:q} --threads {threads}"
        " --out {output.masks} --log {log}"


# For splits that have several shards; the stages that make the figures add the counts up.
rule count_pixels:
    input:
        index="results/{run}/index.csv",
        masks=masks_of_figure,
        store=store_of_figure,
    output:
        counts=temp("results/{run}/evaluation/counts/{figure}/{shard}.npz"),
    log:
        "results/{run}/logs/count_pixels_{figure}_{shard}.log",
    conda:
        "../envs/getam.yaml"
    params:
        store=counted_store,
        split=split_of_figure,
        shard_size=shard_size,
        ground_truth=stage_settings("data", ground_truth=True),
    shell:
        "python -m workflow_scripts.count_pixels --split {params.split} --index {input.index}"
        " --masks {input.masks} --store {params.store} --shard {wildcards.shard}"
        " --shard-size {params.shard_size} --out {output.counts} --log {log}"


rule evaluate_seed:
    input:
        index="results/{run}/index.csv",
        masks="results/{run}/evaluation/masks_train.csv",
        maps="results/{run}/{method}/maps.h5",
        counts=counts_of("seed_{method}"),
    output:
        entry="results/{run}/evaluation/seed_{method}.json",
    log:
        "results/{run}/logs/evaluate_seed_{method}.log",
    conda:
        "../envs/getam.yaml"
    params:
        counts=option_of_counts,
        ground_truth=stage_settings("data", ground_truth=True),
    shell:
        "python -m workflow_scripts.evaluate_seed --method {wildcards.method} --index {input.index}"
        " --masks {input.masks} --maps {input.maps} {params.counts} --out {output.entry} --log {log}"


rule evaluate_pseudo_labels:
    input:
        index="results/{run}/index.csv",
        masks=masks_of_labels,
        labels="results/{run}/pseudo_labels/labels{of}.h5",
        counts=counts_of("pseudo_labels{of}"),
    output:
        entry="results/{run}/evaluation/pseudo_labels{of}.json",
        images="results/{run}/evaluation/images_pseudo_labels{of}.csv",
        confusion="results/{run}/evaluation/confusion_pseudo_labels{of}.csv",
    log:
        "results/{run}/logs/evaluate_pseudo_labels{of}.log",
    conda:
        "../envs/getam.yaml"
    params:
        method=own_method,
        split=split_of,
        counts=option_of_counts,
        ground_truth=stage_settings("data", ground_truth=True),
    shell:
        "python -m workflow_scripts.evaluate_labels --split {params.split} --method {params.method}"
        " --index {input.index} --masks {input.masks} --labels {input.labels} {params.counts}"
        " --images {output.images} --confusion {output.confusion} --out {output.entry} --log {log}"


use rule evaluate_pseudo_labels as evaluate_network_labels with:
    input:
        index="results/{run}/index.csv",
        masks="results/{run}/evaluation/masks_train.csv",
        labels="results/{run}/pseudo_labels/network.h5",
        counts=counts_of("network_labels"),
    output:
        entry="results/{run}/evaluation/network_labels.json",
        images="results/{run}/evaluation/images_network_labels.csv",
        confusion="results/{run}/evaluation/confusion_network_labels.csv",
    log:
        "results/{run}/logs/evaluate_network_labels.log",
    params:
        method="network",
        split=split_of,
        counts=option_of_counts,
        ground_truth=stage_settings("data", ground_truth=True),


rule evaluate_segmentation:
    input:
        index="results/{run}/index.csv",
        masks="results/{run}/evaluation/masks_{split}.csv",
        labels="results/{run}/predictions/{split}.h5",
        counts=counts_of("segmentation_{split}"),
    output:
        entry="results/{run}/evaluation/segmentation_{split}.json",
        images="results/{run}/evaluation/images_segmentation_{split}.csv",
        confusion="results/{run}/evaluation/confusion_segmentation_{split}.csv",
    log:
        "results/{run}/logs/evaluate_segmentation_{split}.log",
    conda:
        "../envs/getam.yaml"
    params:
        method=segmentation_method,
        counts=option_of_counts,
        ground_truth=stage_settings("data", ground_truth=True),
    shell:
        "python -m workflow_scripts.evaluate_labels --split {wildcards.split}"
        " --method {params.method} --index {input.index} --masks {input.masks}"
        " --labels {input.labels} {params.counts}"
        " --images {output.images} --confusion {output.confusion}"
        " --out {output.entry} --log {log}"


rule merge_entries:
    input:
        index="results/{run}/index.csv",
        entries=entries_of_run,
    output:
        miou="results/{run}/miou.json",
    log:
        "results/{run}/logs/merge_entries.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("data", "title"),
    shell:
        "python -m workflow_scripts.merge_entries --run {wildcards.run} --index {input.index}"
        " --entries {input.entries}"
        " --settings {params.settings:q} --out {output.miou} --log {log}"
