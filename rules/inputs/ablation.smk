def swept_saliency(wildcards):
    """Saliency, if the settings want it in labels: a sweep may be over the methods of making them."""
    used = run_settings(wildcards.run).pseudo_labels.saliency
    return rules.merge_saliency.output.saliency if used else []


def seeds_of_all_methods(wildcards):
    """Scores of the maps of every method that is possible."""
    methods = planning.possible_methods(run_settings(wildcards.run))
    return expand(rules.evaluate_seed.output.entry, method=methods, allow_missing=True)


def metrics_of_all_networks(wildcards):
    """How each method's network was trained, in the same order."""
    return [
        (
            rules.train_classifier.output.metrics.replace("{classifier}", CLASSIFIERS[method])
            if method in CLASSIFIERS
            else rules.train.output.metrics
        )
        for method in planning.possible_methods(run_settings(wildcards.run))
    ]
