"""The commands of the rules, one a stage: parse arguments, call getam_core, write outputs."""
