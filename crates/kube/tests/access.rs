//! The write protocol and the watch against an API server (contract B5, B6, B8, B9, B11), and
//! the pauses of shoots.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod access {
    mod calls;
    mod contention;
    mod pauses;
    mod seed;
    mod watch;
    mod write;
}
