//! Small damage to bytes, the same for the same generator. `make fuzz` has better ways; this one
//! needs no engine and runs with every `cargo test`.

use fastrand::Rng;

/// Longest input that is made, in bytes.
const BYTES_MAX: usize = 64 * 1024;
/// Pieces that mean something to one of the parsers.
const PIECES: [&[u8]; 40] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b": ",
    b",",
    b"- ",
    b"? ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!binary ",
    b"|\n",
    b">-\n",
    b"#",
    b" #",
    b"\"",
    b"'",
    b"\\",
    b"\n",
    b"\r\n",
    b"\t",
    b"  ",
    b"---\n",
    b"...\n",
    b"%YAML 1.2\n",
    b"~",
    b"null",
    b"token",
    b"user",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\0",
    b"1e999",
    b"-9223372036854775808",
    b"\xe2\x80\xa8",
    b"9h",
    b".",
    b"=",
];

/// The input with one to four changes; pieces of `other` may come in.
#[must_use]
pub fn mutate(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..=bytes.len());
        let end = (at + rng.usize(..16)).min(bytes.len());
        match rng.u8(..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            1 => drop(bytes.splice(at..at, PIECES[rng.usize(..PIECES.len())].iter().copied())),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].repeat(rng.usize(1..4));
                drop(bytes.splice(at..at, again));
            }
            4 => bytes.truncate(at),
            _ => {
                let from = rng.usize(..=other.len());
                let to = (from + rng.usize(..64)).min(other.len());
                drop(bytes.splice(at..at, other[from..to].iter().copied()));
            }
        }
    }
    bytes.truncate(BYTES_MAX);
    bytes
}
