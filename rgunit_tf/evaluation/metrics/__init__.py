"""Figures about pictures, each from plain arrays: accuracy, distances, scores, intervals."""
