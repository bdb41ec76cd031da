"""The same story for every third-party system, told through the real command.

`scripts/test --interop` starts the systems of `catalogue`, plays `story` with each command of
`commands`, and writes what was seen into `docs/systems.md`. A few rows are in the gate.
"""
