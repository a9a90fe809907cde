# What a person looks at first.


include: "inputs/report.smk"


SHOWN = Settings.model_fields.keys() - {"gpus", "nodes", "shard_size"}  # these change no figure


rule report:
    input:
        index="results/{run}/index.csv",
        miou="results/{run}/miou.json",
        metrics="results/{run}/train/metrics.csv",
        masks=expand("results/{{run}}/evaluation/masks_{split}.csv", split=["train", "val"]),
        maps=maps_of_run,
        saliency=label_saliency,
        labels="results/{run}/pseudo_labels/labels.h5",
        predictions=shown_predictions,
        mious=scores_of_images,
        confusion=shown_confusion,
    output:
        report="results/{run}/report.html",
        picture="results/{run}/picture.png",
    log:
        "results/{run}/logs/report.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings(*SHOWN, ground_truth=True),
        saliency=option_of("saliency"),
        predictions=option_of("predictions"),
        benchmarks="results/{run}/benchmarks",
        ablation="results/{run}/ablation",
    shell:
        "python -m workflow_scripts.report --run {wildcards.run} --index {input.index}"
        " --miou {input.miou} --metrics {input.metrics} --masks {input.masks}"
        " --maps {input.maps} {params.saliency} --labels {input.labels}"
        " {params.predictions} --mious {input.mious} --confusion {input.confusion}"
        " --benchmarks {params.benchmarks} --ablation {params.ablation}"
        " --settings {params.settings:q}"
        " --picture {output.picture} --out {output.report} --log {log}"


# The same without masks: a few images with their maps and labels, and others with predictions.
rule overview:
    input:
        index="results/{run}/index.csv",
        maps=label_maps,
        saliency=label_saliency,
        labels="results/{run}/pseudo_labels/labels.h5",
        predictions=shown_predictions,
    output:
        picture="results/{run}/overview.png",
    log:
        "results/{run}/logs/overview.log",
    conda:
        "../envs/getam.yaml"
    params:
        saliency=option_of("saliency"),
        predictions=option_of("predictions"),
    shell:
        "python -m workflow_scripts.overview --index {input.index} --maps {input.maps}"
        " {params.saliency} --labels {input.labels} {params.predictions}"
        " --out {output.picture} --log {log}"
