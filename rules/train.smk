# End-to-end training with double backward; resumes by itself from results/<run>/state/.


def training_saliency(wildcards):
    """Saliency, if the labels of training use it."""
    used = run_settings(wildcards.run).train.labels.saliency
    return rules.make_saliency.output.saliency if used else []


rule train:
    input:
        index="results/{run}/index.csv",
        saliency=training_saliency,
    output:
        checkpoint="results/{run}/train/checkpoint.pt",
        metrics="results/{run}/train/metrics.csv",
    log:
        "results/{run}/logs/train.log",
    benchmark:
        "results/{run}/benchmarks/train.tsv"
    params:
        settings=stage_settings("seed", "data", "model", "train"),
        saliency=lambda wildcards, input: f"--saliency {input.saliency}" if input.saliency else "",
        state="results/{run}/state/train.pt",
        events="results/{run}/train/tensorboard",
    threads: 8
    resources:
        gpu=gpus,
        device=device,
    conda:
        "../envs/getam.yaml"
    shell:
        "python {SCRIPTS}/train.py --index {input.index} {params.saliency}"
        " --settings {params.settings:q} --state {params.state} --events {params.events}"
        " --threads {threads} --device {resources.device} --metrics {output.metrics}"
        " --out {output.checkpoint} --log {log}"
