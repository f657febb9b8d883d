"""One module a command. Each has `main(argv)`, run by `launcher.run`, and imports TensorFlow in `main` only."""
