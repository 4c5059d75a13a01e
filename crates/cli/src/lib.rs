//! perennial: the command line of operators.
