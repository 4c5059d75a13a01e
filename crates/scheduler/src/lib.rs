//! scheduler: decides which token is renewed when, and never sees one.
