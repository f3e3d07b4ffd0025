"""Known reasons of failed builds, and what to do about each."""
