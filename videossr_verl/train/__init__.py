"""verl's side: the data set, the reward hook and the Hydra configs that a run names."""
