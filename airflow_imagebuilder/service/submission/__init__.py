"""Exactly one image, whatever dies: submitting, resuming and repairing."""
