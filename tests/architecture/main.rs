//! What holds the house together, checked against the built graph and the files.

mod arrows;
mod files;
mod graph;
