"""The wait for an image, as the operators share it: the wait, its cancel, what outlives a try."""
