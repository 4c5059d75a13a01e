//! A file of several PEM blocks, the newest first.

use std::path::Path;

use anyhow::{Context, Result, ensure};

const END: &str = "-----END ";

/// The blocks of a file; at least one.
pub(super) fn read(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read {}", path.display()))?;
    let blocks = split(&text);
    ensure!(!blocks.is_empty(), "{} holds no PEM", path.display());
    Ok(blocks)
}

fn split(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        let block = blocks.last_mut().expect("there is always a last one");
        block.push_str(line);
        block.push('\n');
        if line.starts_with(END) {
            blocks.push(String::new());
        }
    }
    blocks.retain(|block| block.contains(END));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_apart_and_put_together_again() {
        let block = |text: &str| format!("-----BEGIN X-----\n{text}\n-----END X-----\n");
        let (one, two) = (block("YQ=="), block("Yg=="));

        assert_eq!(split(&format!("{one}{two}")), [one, two]);
        assert!(split("no PEM\n").is_empty());
    }
}
