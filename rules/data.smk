# Images and image-level labels: drawn or found, then listed and checked.


include: "inputs/data.smk"


rule make_scenes:
    output:
        train="results/{run}/scenes/ImageSets/Segmentation/train.txt",
        val="results/{run}/scenes/ImageSets/Segmentation/val.txt",
    log:
        "results/{run}/logs/make_scenes.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("data"),
        folder="results/{run}/scenes",
    shell:
        "python -m workflow_scripts.make_scenes --settings {params.settings:q}"
        " --out {params.folder} --log {log}"


rule make_salient_scenes:
    output:
        folder=directory("results/{run}/salient_scenes"),
    log:
        "results/{run}/logs/make_salient_scenes.log",
    conda:
        "../envs/getam.yaml"
    params:
        settings=stage_settings("data"),
    shell:
        "python -m workflow_scripts.make_salient_scenes --settings {params.settings:q}"
        " --out {output.folder} --log {log}"


# A checkpoint: the number of shards is known only once the images are listed.
checkpoint prepare_data:
    input:
        scenes=scene_lists,
    output:
        index="results/{run}/index.csv",
    log:
        "results/{run}/logs/prepare_data.log",
    conda:
        "../envs/getam.yaml"
    threads: 8
    resources:
        mem_mb=mem_mb,
        runtime=runtime(),
    params:
        settings=listing_settings,
        root=data_folder,
    shell:
        "python -m workflow_scripts.prepare_data --root {params.root:q} --settings {params.settings:q}"
        " --threads {threads} --out {output.index} --log {log}"
