"""The rules of CreateImage that bind several members together."""
