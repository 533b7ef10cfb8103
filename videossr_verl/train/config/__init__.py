"""Hydra configs, found by verl's entry point through hydra_plugins/videossr."""
