"""Where the customers come from: MongoDB, the embedded server and its sample, and how documents are read."""
