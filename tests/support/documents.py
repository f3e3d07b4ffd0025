"""Documents of workflows and components that AWS takes."""

from __future__ import annotations

RUN = "action: RunCommand, inputs: {instanceId: i-1, documentName: AWS-RunShellScript}"
"""The action of a step that runs a command, without its name."""
WORKFLOW = f"schemaVersion: 1.0\nsteps:\n  - {{name: Run, {RUN}}}\n"
COMPONENT = """schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: Run, action: ExecuteBash, inputs: {commands: ['true']}}
"""
