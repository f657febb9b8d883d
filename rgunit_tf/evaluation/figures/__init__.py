"""Sheets of pictures: what a stage makes of test images, at its best and at its worst."""
