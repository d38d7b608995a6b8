"""Recipes, and in time checkpoints, as data."""
