# Which training images to look at first; no mask is opened. On request.


include: "inputs/review.smk"


rule review:
    input:
        index="results/{run}/index.csv",
        maps=label_maps,
        labels="results/{run}/pseudo_labels/labels.h5",
        predictions=training_predictions,
    output:
        table="results/{run}/review.csv",
        page="results/{run}/review.html",
    log:
        "results/{run}/logs/review.log",
    conda:
        "../envs/getam.yaml"
    params:
        predictions=option_of("predictions"),
    shell:
        "python -m workflow_scripts.review --run {wildcards.run} --index {input.index}"
        " --maps {input.maps} --labels {input.labels} {params.predictions}"
        " --page {output.page} --out {output.table} --log {log}"
