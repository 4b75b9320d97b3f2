"""The source of the customers: MongoDB, the embedded server with the sample, decoding of documents."""
