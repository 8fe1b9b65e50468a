"""Kinds that load libraries of models; apart from `kinds`, so that workers of other cases stay light."""
