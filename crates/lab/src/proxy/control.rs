//! Acting on a proxy by its name, from within the lab or from another process.

use std::{fs, io::ErrorKind, path::Path, time::Duration};

use anyhow::{Context, Result, bail};

use super::Mode;
use crate::{
    dir::{LabDir, write_private},
    poll::{Look, until},
};

/// How long a proxy may need to take notice: its beat is 100 ms.
const NOTICE_MAX: Duration = Duration::from_secs(10);

/// Whether there is a proxy of this name.
#[must_use]
pub fn exists(name: &str, dir: &LabDir) -> bool {
    dir.proxy_state_file(name).exists()
}

/// Has the proxy change to `mode`; back when it has.
///
/// # Errors
/// There is no such proxy, or the lab does not run any more.
pub async fn set(mode: Mode, name: &str, dir: &LabDir) -> Result<()> {
    if !exists(name, dir) {
        bail!("there is no proxy in front of {name}");
    }
    write_private(&dir.proxy_file(name), &format!("{mode}\n"))?;
    let look = async || {
        let now = read(&dir.proxy_state_file(name))?;
        Ok(if now == Some(mode) { Look::Done(()) } else { Look::Waiting(format!("{now:?}")) })
    };
    until(&format!("{name}: {mode}"), NOTICE_MAX, look).await
}

/// What is wanted of the proxy; none where nobody has said anything yet.
pub(super) fn wanted(name: &str, dir: &LabDir) -> Result<Option<Mode>> {
    read(&dir.proxy_file(name))
}

/// Says what the proxy does now.
pub(super) fn note(mode: Mode, name: &str, dir: &LabDir) -> Result<()> {
    write_private(&dir.proxy_state_file(name), &format!("{mode}\n"))
}

fn read(path: &Path) -> Result<Option<Mode>> {
    match fs::read_to_string(path) {
        Ok(text) => text.parse().map(Some).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
    }
}
