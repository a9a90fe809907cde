# Class-agnostic saliency of the training images: from a network trained on other images, or given.


def saliency_training_images(wildcards):
    """The folder of images and masks that the network learns from: found, or made scenes."""
    settings = run_settings(wildcards.run)
    folder = settings.saliency.images
    return ancient(folder) if folder else rules.make_salient_scenes.output.folder


rule train_saliency:
    input:
        images=saliency_training_images,
        # Not read: wrong data is found before the training, not after it.
        index=ancient("results/{run}/index.csv"),
    output:
        network="results/{run}/saliency/network.pt",
    log:
        "results/{run}/logs/train_saliency.log",
    benchmark:
        "results/{run}/benchmarks/train_saliency.tsv"
    params:
        settings=stage_settings("seed", "saliency"),
        state="results/{run}/state/saliency.pt",
    threads: 8
    resources:
        gpu=gpus,
        device=device,
    conda:
        "../envs/getam.yaml"
    shell:
        "python {SCRIPTS}/train_saliency.py --images {input.images:q}"
        " --settings {params.settings:q} --state {params.state} --threads {threads}"
        " --device {resources.device} --out {output.network} --log {log}"


def saliency_network(wildcards):
    """The trained network, unless maps are given."""
    trained = run_settings(wildcards.run).saliency.source == "network"
    return rules.train_saliency.output.network if trained else []


rule make_saliency:
    input:
        index="results/{run}/index.csv",
        network=saliency_network,
    output:
        saliency="results/{run}/saliency.h5",
    log:
        "results/{run}/logs/make_saliency.log",
    params:
        settings=stage_settings("data", "saliency"),
        network=lambda wildcards, input: f"--network {input.network}" if input.network else "",
    threads: 8
    resources:
        gpu=gpus,
        device=device,
    conda:
        "../envs/getam.yaml"
    shell:
        "python {SCRIPTS}/make_saliency.py --index {input.index} {params.network}"
        " --settings {params.settings:q} --threads {threads} --device {resources.device}"
        " --out {output.saliency} --log {log}"
