"""Layers that turn words, numbers and categories into indices and vectors, on the host."""
