"""The three stages of training: Keras models with a train_step each (paper §3)."""
