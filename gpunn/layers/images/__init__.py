"""Layers that resize, cut and change images, on the device where the images lie."""
