"""A run: its folder, and what happens in it: training, checkpoints, samples, finished stages, exports."""
