# Pseudo labels from stored maps: a change of alpha, gamma or the refinement starts here.


def label_saliency(wildcards):
    """Saliency, if the exported labels use it."""
    used = run_settings(wildcards.run).pseudo_labels.saliency
    return rules.make_saliency.output.saliency if used else []


rule pseudo_labels:
    input:
        index="results/{run}/index.csv",
        maps="results/{run}/getam/maps.h5",
        saliency=label_saliency,
    output:
        labels="results/{run}/pseudo_labels/labels.h5",
    log:
        "results/{run}/logs/pseudo_labels.log",
    benchmark:
        "results/{run}/benchmarks/pseudo_labels.tsv"
    params:
        settings=stage_settings("pseudo_labels"),
        saliency=lambda wildcards, input: f"--saliency {input.saliency}" if input.saliency else "",
    threads: 8
    conda:
        "../envs/getam.yaml"
    shell:
        "python {SCRIPTS}/pseudo_labels.py --index {input.index} --maps {input.maps}"
        " {params.saliency} --settings {params.settings:q} --threads {threads}"
        " --out {output.labels} --log {log}"
