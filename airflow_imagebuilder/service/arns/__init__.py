"""ARNs of Image Builder: one class for each kind, and what to write instead of a text that is not one."""
