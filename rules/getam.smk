# Activation maps of the training images, by GETAM and by the methods it is compared with.


def map_settings(wildcards) -> str:
    """Coupling and blocks are GETAM's own: another method's maps stay when they change."""
    own = ["getam"] if wildcards.method == "getam" else []
    return run_settings(wildcards.run).select("data", "maps", *own)


rule export_maps:
    input:
        index="results/{run}/index.csv",
        checkpoint="results/{run}/train/checkpoint.pt",
    output:
        maps="results/{run}/{method}/maps.h5",
    log:
        "results/{run}/logs/export_maps_{method}.log",
    benchmark:
        "results/{run}/benchmarks/export_maps_{method}.tsv"
    params:
        settings=map_settings,
    threads: 8
    resources:
        gpu=gpus,
        device=device,
    conda:
        "../envs/getam.yaml"
    shell:
        "python {SCRIPTS}/export_maps.py --method {wildcards.method} --index {input.index}"
        " --checkpoint {input.checkpoint} --settings {params.settings:q} --threads {threads}"
        " --device {resources.device} --out {output.maps} --log {log}"
