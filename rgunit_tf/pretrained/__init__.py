"""Networks trained elsewhere: their graphs, and how their weights are found in local files, without PyTorch."""
