# Predictions of PASCAL VOC's test images, packed for its evaluation server. These images are
# listed in an index of their own, so that nothing is trained again because of them.


include: "inputs/submission.smk"


# A checkpoint, like prepare_data: the number of shards of predictions is known only afterwards.
checkpoint list_test:
    output:
        index="results/{run}/submission/index.csv",
    log:
        "results/{run}/logs/list_test.log",
    conda:
        "../envs/getam.yaml"
    threads: 8
    params:
        settings=stage_settings("submission"),
        root=test_folder,
    shell:
        "python -m workflow_scripts.list_test --root {params.root:q} --settings {params.settings:q}"
        " --threads {threads} --out {output.index} --log {log}"


rule make_submission:
    input:
        index=rules.list_test.output.index,
        predictions="results/{run}/predictions/test.h5",
    output:
        archive="results/{run}/submission.tar.gz",
        record="results/{run}/submission.json",
    log:
        "results/{run}/logs/make_submission.log",
    conda:
        "../envs/getam.yaml"
    params:
        method=segmentation_method,
    shell:
        "python -m workflow_scripts.make_submission --run {wildcards.run} --method {params.method}"
        " --index {input.index} --predictions {input.predictions} --record {output.record}"
        " --out {output.archive} --log {log}"
