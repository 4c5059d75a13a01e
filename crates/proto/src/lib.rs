//! Generated gRPC code of proto/, checked in, and its descriptor set.
