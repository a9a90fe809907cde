# Comparisons on request: label settings, from stored maps alone (ablation/alpha.json, gamma,
# refinement, completion), and the maps of all methods (ablation/maps.json).


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
    params:
        settings=stage_settings("pseudo_labels", "ablation"),
        saliency=option_of("saliency"),
        ground_truth=stage_settings("data", ground_truth=True),
    shell:
        "python -m workflow_scripts.ablation --run {wildcards.run} --sweep {wildcards.sweep}"
        " --index {input.index} --masks {input.masks} --maps {input.maps} {params.saliency}"
        " --settings {params.settings:q} --threads {threads}"
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
