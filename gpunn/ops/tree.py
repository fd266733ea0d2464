"""`gpunn.tree` under the name it had here."""

from gpunn.tree import flatten, map_structure, pack

__all__ = ["flatten", "map_structure", "pack"]
