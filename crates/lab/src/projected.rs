//! A folder whose files change all at once, as the kubelet projects a Secret into a Pod.
//!
//! ```text
//! tls.crt -> ..data/tls.crt      ..data -> ..x7Kq2f      ..x7Kq2f/tls.crt
//! ```
//!
//! New content goes into a new folder, then `..data` is swapped by one rename. So a reader finds the
//! old files or the new ones, and whoever watches an inode finds that it was removed.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Result, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::Path;

use anyhow::Context as _;

const DATA: &str = "..data";

/// Puts `files` (name and content, for their owner only) into `folder`, in one step.
///
/// # Errors
/// The folder is not writable.
pub fn write(folder: &Path, files: &[(String, String)]) -> anyhow::Result<()> {
    project(folder, files).with_context(|| format!("failed to write into {}", folder.display()))
}

fn project(folder: &Path, files: &[(String, String)]) -> Result<()> {
    fs::create_dir_all(folder)?;
    let new = tempfile::Builder::new().prefix("..").tempdir_in(folder)?.keep();
    for (name, content) in files {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(new.join(name))?;
        file.write_all(content.as_bytes())?;
    }
    let old = fs::read_link(folder.join(DATA));
    link(Path::new(new.file_name().unwrap_or_default()), DATA, folder)?;
    for (name, _) in files {
        if fs::read_link(folder.join(name)).is_err() {
            link(&Path::new(DATA).join(name), name, folder)?;
        }
    }
    match old {
        Ok(old) => fs::remove_dir_all(folder.join(old)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()), // the first time
        Err(error) => Err(error),
    }
}

/// Makes or replaces a symlink in one step.
fn link(target: &Path, name: &str, folder: &Path) -> Result<()> {
    let temporary = folder.join(format!("{name}_tmp"));
    symlink(target, &temporary)?;
    fs::rename(temporary, folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(content: &str) -> Vec<(String, String)> {
        ["one", "two"].map(|name| (name.to_owned(), content.to_owned())).to_vec()
    }

    #[test]
    fn new_content_replaces_the_old_and_leaves_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        for content in ["old", "new"] {
            write(folder.path(), &files(content)).unwrap();
            for name in ["one", "two"] {
                assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), content);
            }
        }
        let entries = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(entries, 4, "two links, ..data and what it leads to");
    }
}
