"""The rules of CreateImage for several members together."""
