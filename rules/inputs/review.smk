def training_predictions(wildcards):
    """Predictions on the training images, unless the decoder learns nothing."""
    segments = run_settings(wildcards.run).train.segments
    return f"results/{wildcards.run}/predictions/train.h5" if segments else []
