"""The paper's experiments: which runs its Tables 1-4 need, and the tables made of what those runs gave."""
