"""What judges translations: the attribute classifier trained on real images, and networks trained elsewhere."""
