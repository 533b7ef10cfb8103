"""`videossr doctor`: is this machine, or every node of a Ray cluster, fit to train? With a remedy for each finding."""
