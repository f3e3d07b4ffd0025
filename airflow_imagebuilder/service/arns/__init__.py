"""ARNs of Image Builder: one class per kind, and what to write instead of a text that is not an ARN."""
