def shown_predictions(wildcards):
    """Predictions on val, unless the decoder learns nothing."""
    segments = run_settings(wildcards.run).train.segments
    return f"results/{wildcards.run}/predictions/val.h5" if segments else []


def maps_of_run(wildcards):
    """Maps of every method that is scored, first those that labels are made of."""
    methods = planning.methods_with_maps(run_settings(wildcards.run))
    return [f"results/{wildcards.run}/{method}/maps.h5" for method in methods]
