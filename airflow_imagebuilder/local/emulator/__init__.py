"""The local Image Builder: state, faults and scenarios around the engine."""
