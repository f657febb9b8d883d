"""Faces in photographs: where they are, and cut out as CelebA's are."""
