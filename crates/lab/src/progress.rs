//! Short lines for the person who waits, on stderr: stdout belongs to COMMAND.

use std::io::Write;

/// Says one line. A closed stderr is nobody who waits, so a failed write is no error.
pub fn say(text: impl std::fmt::Display) {
    // A test runs on a thread that has its name; others may run, and say something, at the same time.
    let thread = std::thread::current();
    let _ = match thread.name().filter(|name| *name != "main") {
        Some(test) => writeln!(std::io::stderr(), "lab of {test}: {text}"),
        None => writeln!(std::io::stderr(), "lab: {text}"),
    };
}
