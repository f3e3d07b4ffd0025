"""Whether a build is needed: what AWS holds now, compared with what the last image was built from."""
