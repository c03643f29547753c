"""One file per dataset, each with a variable `contract`. Adding a dataset is adding a file here and nothing else."""
