"""Documents of components and workflows that start no instance, or next to nothing on one."""

from __future__ import annotations

COMPONENT = """
name: verify
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Say
        action: ExecuteBash
        inputs: {commands: ['echo %s']}
"""

WAIT = """
name: wait
description: Waits for two actions; it starts no instance
schemaVersion: 1.0
steps:
  - {name: First, action: WaitForAction, timeoutSeconds: 86400}
  - {name: Second, action: WaitForAction, timeoutSeconds: 86400}
"""

SCENARIO = """
durations: {cancellation: 1800}
"""
"""Of the local service: at speed 1200 a cancellation takes 1.5 seconds, enough for a second call in it."""
