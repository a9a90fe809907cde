# Comparisons on request: label settings, from stored maps alone (ablation/alpha.json, gamma,
# refinement, completion), the maps of all methods (ablation/maps.json), GETAM's own choices
# (ablation/fusion.json, blocks), and runs, as rows of the paper's tables (ablation/table1.json to
# table4).


include: "inputs/ablation.smk"


rule ablation:
    input:
        index="results/{run}/index.csv",
        masks="results/{run}/evaluation/masks_train.csv",
        maps=label_maps,
        saliency=swept_saliency,
    output:
        scores="results/{run}/ablation/{sweep}.json",
        plot="results/{run}/ablation/{sweep}.png",
    log:
        "results/{run}/logs/ablation_{sweep}.log",
    benchmark:
        "results/{run}/benchmarks/ablation_{sweep}.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        mem_mb=mem_mb,
        runtime=runtime(),
    params:
        settings=stage_settings("pseudo_labels", "ablation"),
        saliency=option_of("saliency"),
        ground_truth=stage_settings("data", ground_truth=True),
    shell:
        "python -m workflow_scripts.ablation --run {wildcards.run} --sweep {wildcards.sweep}"
        " --index {input.index} --masks {input.masks} --maps {input.maps} {params.saliency}"
        " --settings {params.settings:q} --threads {threads} --device cpu"
        " --plot {output.plot} --out {output.scores} --log {log}"


rule compare_maps:
    input:
        seeds=seeds_of_all_methods,
        metrics=metrics_of_all_networks,
    output:
        scores="results/{run}/ablation/maps.json",
        plot="results/{run}/ablation/maps.png",
    log:
        "results/{run}/logs/compare_maps.log",
    conda:
        "../envs/getam.yaml"
    shell:
        "python -m workflow_scripts.compare_maps --run {wildcards.run} --seeds {input.seeds}"
        " --metrics {input.metrics} --plot {output.plot} --out {output.scores} --log {log}"


rule compare_getam:
    input:
        index="results/{run}/index.csv",
        masks="results/{run}/evaluation/masks_train.csv",
        checkpoint=network_of_getam,
    output:
        scores="results/{run}/ablation/{study}.json",
        plot="results/{run}/ablation/{study}.png",
    log:
        "results/{run}/logs/compare_getam_{study}.log",
    benchmark:
        "results/{run}/benchmarks/compare_getam_{study}.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        mem_mb=mem_mb,
        runtime=runtime(),
        gpu=gpus,
        device=device,
    params:
        settings=stage_settings("data", "maps", "getam", "ablation"),
        ground_truth=stage_settings("data", ground_truth=True),
    shell:
        "python -m workflow_scripts.compare_getam --run {wildcards.run} --study {wildcards.study}"
        " --index {input.index} --masks {input.masks} --checkpoint {input.checkpoint}"
        " --settings {params.settings:q} --threads {threads} --device {resources.device}"
        " --plot {output.plot} --out {output.scores} --log {log}"


rule compare_runs:
    input:
        index="results/{run}/index.csv",
        entries=entries_of_table,
    output:
        scores="results/{run}/ablation/{table}.json",
        plot="results/{run}/ablation/{table}.png",
    log:
        "results/{run}/logs/compare_runs_{table}.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("data", "title"),
        cells=named_cells,
    shell:
        "python -m workflow_scripts.compare_runs --run {wildcards.run} --table {wildcards.table}"
        " --index {input.index} --cells {params.cells:q} --entries {input.entries}"
        " --settings {params.settings:q} --plot {output.plot} --out {output.scores} --log {log}"
