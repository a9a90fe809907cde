# End-to-end training with double backward; resumes by itself from results/<run>/state/. On several
# GPUs torchrun starts a process for each; on a CPU the stage forks.


include: "inputs/train.smk"


rule train:
    input:
        index="results/{run}/index.csv",
        saliency=training_saliency,
        labels=given_labels,
    output:
        checkpoint="results/{run}/train/checkpoint.pt",
        metrics="results/{run}/train/metrics.csv",
    log:
        "results/{run}/logs/train.log",
    benchmark:
        "results/{run}/benchmarks/train.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        **of_a_training("train", section="train"),
    params:
        settings=stage_settings("seed", "data", "model", "train"),
        saliency=option_of("saliency"),
        labels=given_labels_option,
        state="results/{run}/state/train.pt",
        events="results/{run}/train/tensorboard",
    shell:
        "{resources.launcher}workflow_scripts.train --index {input.index} {params.saliency}"
        " {params.labels:q}"
        " --settings {params.settings:q} --saving {resources.saving:q} {resources.anew}--state {params.state}"
        " --events {params.events} --threads {threads} --device {resources.device}"
        " --metrics {output.metrics} --out {output.checkpoint} --log {log}"


# The networks of CNN CAM and TS-CAM: the same training, with only the classification loss.
rule train_classifier:
    input:
        index="results/{run}/index.csv",
    output:
        checkpoint="results/{run}/classifiers/{classifier}/checkpoint.pt",
        metrics="results/{run}/classifiers/{classifier}/metrics.csv",
    log:
        "results/{run}/logs/train_classifier_{classifier}.log",
    benchmark:
        "results/{run}/benchmarks/train_classifier_{classifier}.tsv"
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        **of_a_training("train_classifier", section="train"),
    params:
        settings=stage_settings("seed", "data", "model", "train", "classifiers"),
        state="results/{run}/state/train_{classifier}.pt",
        events="results/{run}/classifiers/{classifier}/tensorboard",
    shell:
        "{resources.launcher}workflow_scripts.train --classifier {wildcards.classifier}"
        " --index {input.index} --settings {params.settings:q} --saving {resources.saving:q} {resources.anew}"
        " --state {params.state} --events {params.events} --threads {threads} --device {resources.device}"
        " --metrics {output.metrics} --out {output.checkpoint} --log {log}"
