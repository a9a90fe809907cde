"""How fast the costly steps are beside their straightforward forms: `python -m benchmarks`.

Reading order: `timing` (fair medians, tables), `maps`, `labels` (one table each).
"""
