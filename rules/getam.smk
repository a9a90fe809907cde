# Activation maps of the training images, by GETAM and by the methods it is compared with.


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
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        gpu=gpus,
        device=device,
    params:
        settings=map_settings,
    shell:
        "python -m workflow_scripts.export_maps --method {wildcards.method} --index {input.index}"
        " --checkpoint {input.checkpoint} --settings {params.settings:q} --threads {threads}"
        " --device {resources.device} --out {output.maps} --log {log}"
