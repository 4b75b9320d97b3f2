"""`pipeline tune`: searches the algorithm's parameters by cross-validation on the training split."""
