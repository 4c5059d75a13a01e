//! Short lines for the person who waits, on stderr: stdout belongs to COMMAND.

use std::io::Write;

/// Says one line. A closed stderr is nobody who waits, so a failed write is no error.
pub fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "lab: {text}");
}
