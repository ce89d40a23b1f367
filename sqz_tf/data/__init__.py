"""A person's pictures as a data set with splits, and accuracy on them."""
