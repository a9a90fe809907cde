@without_traceback()
def label_maps(wildcards) -> str:
    """The maps that the exported labels are made of: GETAM's; a CNN's own."""
    method = planning.label_method(run_settings(wildcards.run), wildcards.run)
    return f"results/{{run}}/{method}/maps.h5"


def label_saliency(wildcards):
    """Saliency, if the exported labels use it."""
    used = run_settings(wildcards.run).pseudo_labels.uses_saliency
    return rules.merge_saliency.output.saliency if used else []
