# Images and image-level labels: made or found, listed and checked.


rule make_scenes:
    output:
        train="results/{run}/scenes/ImageSets/Segmentation/train.txt",
        val="results/{run}/scenes/ImageSets/Segmentation/val.txt",
    log:
        "results/{run}/logs/make_scenes.log",
    params:
        settings=stage_settings("data"),
        folder="results/{run}/scenes",
    conda:
        "../envs/getam.yaml"
    shell:
        "python {SCRIPTS}/make_scenes.py --settings {params.settings:q}"
        " --out {params.folder} --log {log}"


rule make_salient_scenes:
    output:
        folder=directory("results/{run}/salient_scenes"),
    log:
        "results/{run}/logs/make_salient_scenes.log",
    params:
        settings=stage_settings("data"),
    conda:
        "../envs/getam.yaml"
    shell:
        "python {SCRIPTS}/make_salient_scenes.py --settings {params.settings:q}"
        " --out {output.folder} --log {log}"


def scene_lists(wildcards):
    """A made data set is an input, a found one is a parameter."""
    made = run_settings(wildcards.run).data.layout == "scenes"
    return rules.make_scenes.output if made else []


def data_folder(wildcards) -> str:
    """Folder of the images, made or found."""
    settings = run_settings(wildcards.run)
    made = settings.data.layout == "scenes"
    return f"results/{wildcards.run}/scenes" if made else str(settings.data_root)


rule prepare_data:
    input:
        scenes=scene_lists,
    output:
        index="results/{run}/index.csv",
    log:
        "results/{run}/logs/prepare_data.log",
    params:
        settings=stage_settings("data"),
        root=data_folder,
    threads: 8
    conda:
        "../envs/getam.yaml"
    shell:
        "python {SCRIPTS}/prepare_data.py --root {params.root:q} --settings {params.settings:q}"
        " --threads {threads} --out {output.index} --log {log}"
