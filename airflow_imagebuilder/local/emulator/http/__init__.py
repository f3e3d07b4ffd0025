"""The local Image Builder over HTTP."""
