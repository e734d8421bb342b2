"""The mathematics of a multilayer perceptron, in NumPy alone: no files, no printing, no clock."""
