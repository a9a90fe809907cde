# What a person looks at first.


def maps_of_run(wildcards):
    """Maps of every method that is scored, GETAM's first."""
    seeds = run_settings(wildcards.run).evaluate.seeds
    methods = dict.fromkeys(("getam", *seeds))
    return [f"results/{wildcards.run}/{method}/maps.h5" for method in methods]


rule report:
    input:
        index="results/{run}/index.csv",
        miou="results/{run}/miou.json",
        metrics="results/{run}/train/metrics.csv",
        masks=expand("results/{{run}}/evaluation/masks_{split}.csv", split=["train", "val"]),
        maps=maps_of_run,
        saliency=label_saliency,
        labels="results/{run}/pseudo_labels/labels.h5",
        predictions="results/{run}/predictions/val.h5",
    output:
        report="results/{run}/report.html",
        picture="results/{run}/picture.png",
    log:
        "results/{run}/logs/report.log",
    params:
        settings=stage_settings(*Settings.model_fields),
        saliency=lambda wildcards, input: f"--saliency {input.saliency}" if input.saliency else "",
    conda:
        "../envs/getam.yaml"
    shell:
        "python {SCRIPTS}/report.py --run {wildcards.run} --index {input.index}"
        " --miou {input.miou} --metrics {input.metrics} --masks {input.masks}"
        " --maps {input.maps} {params.saliency} --labels {input.labels}"
        " --predictions {input.predictions} --settings {params.settings:q}"
        " --picture {output.picture} --out {output.report} --log {log}"
