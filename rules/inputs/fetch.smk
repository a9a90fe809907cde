from getam_core.downloads.archives import DATA_SETS


def archives_of(wildcards):
    """The archives of a public data set."""
    names = [archive.name for archive in DATA_SETS[wildcards.dataset]]
    return expand(rules.fetch_archive.output.archive, archive=names)
