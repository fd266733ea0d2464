"""The kernels: importing this registers every one of them."""
