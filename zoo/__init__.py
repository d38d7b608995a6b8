"""Recipes and checkpoints, as data, and what makes, describes and checks them."""
