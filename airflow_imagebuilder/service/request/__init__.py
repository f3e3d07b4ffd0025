"""What CreateImage takes: the request, its fields and rules, its workflows and the test plan."""
