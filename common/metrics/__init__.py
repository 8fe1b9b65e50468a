"""Figures of one process: counted as plain numbers, made into Prometheus families when somebody looks."""
