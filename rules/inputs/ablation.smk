import json


def swept_saliency(wildcards):
    """Saliency, if the settings allow it; a sweep may cover methods that use it."""
    used = run_settings(wildcards.run).pseudo_labels.saliency
    return "results/{run}/saliency.h5" if used else []


def seeds_of_all_methods(wildcards):
    """Scores of the maps of every possible method."""
    methods = planning.possible_methods(run_settings(wildcards.run))
    return expand(rules.evaluate_seed.output.entry, method=methods, allow_missing=True)


@without_traceback()
def network_of_getam(wildcards) -> str:
    """The run's own network, which must be one that GETAM can make maps of."""
    planning.check_getam(run_settings(wildcards.run), wildcards.run)
    return rules.train.output.checkpoint


@without_traceback()
def cells_of_table(wildcards) -> list[planning.Cell]:
    """The figures of a table: row, run and entry of each."""
    settings = run_settings(wildcards.run)
    return planning.cells_of_table(settings, wildcards.run, wildcards.table, run_settings)


def entries_of_table(wildcards):
    """The entries of a table, from several runs."""
    cells = cells_of_table(wildcards)
    return [f"results/{cell.run}/evaluation/{cell.entry}.json" for cell in cells]


def named_cells(wildcards) -> str:
    """Params: row and run of each entry, JSON."""
    return json.dumps([[cell.row, cell.run] for cell in cells_of_table(wildcards)])


def metrics_of_all_networks(wildcards):
    """The training metrics of each method's network, in the same order."""
    settings = run_settings(wildcards.run)
    networks = [
        planning.classifier_of(settings, method) for method in planning.possible_methods(settings)
    ]
    return [
        (
            rules.train_classifier.output.metrics.replace("{classifier}", classifier)
            if classifier
            else rules.train.output.metrics
        )
        for classifier in networks
    ]
