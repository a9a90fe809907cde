def test_folder(wildcards) -> str:
    """The devkit with the test images: the data set's own, unless they are elsewhere."""
    return run_settings(wildcards.run).submission.root or data_folder(wildcards)
