//! Acting on a proxy by its name, from within the lab or from another process.

use std::{fs, io::ErrorKind, net::SocketAddr, path::Path, str::FromStr, time::Duration};

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

/// Has the proxy listen at another address; back when it does. Connections of the old one stay.
///
/// # Errors
/// There is no such proxy, the address is taken, or the lab does not run any more.
pub async fn move_to(address: SocketAddr, name: &str, dir: &LabDir) -> Result<()> {
    if !exists(name, dir) {
        bail!("there is no proxy in front of {name}");
    }
    write_private(&dir.proxy_address_file(name), &format!("{address}\n"))?;
    let look = async || {
        let now = read(&dir.proxy_addressed_file(name))?;
        Ok(if now == Some(address) { Look::Done(()) } else { Look::Waiting(format!("{now:?}")) })
    };
    until(&format!("{name} at {address}"), NOTICE_MAX, look).await
}

/// The names of all proxies, sorted.
///
/// # Errors
/// The folder of the lab is gone.
pub fn all(dir: &LabDir) -> Result<Vec<String>> {
    let folder = dir.root().join("run");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let name = |entry: fs::DirEntry| {
        let file = entry.file_name().into_string().ok()?;
        file.strip_suffix(".proxied").map(str::to_owned)
    };
    let mut names: Vec<_> = entries.filter_map(|entry| name(entry.ok()?)).collect();
    names.sort();
    Ok(names)
}

/// Where the proxy is wanted; none where nobody has said anything yet.
pub(super) fn wanted_address(name: &str, dir: &LabDir) -> Result<Option<SocketAddr>> {
    read(&dir.proxy_address_file(name))
}

/// Says where the proxy listens now.
pub(super) fn note_address(address: SocketAddr, name: &str, dir: &LabDir) -> Result<()> {
    write_private(&dir.proxy_addressed_file(name), &format!("{address}\n"))
}

/// What is wanted of the proxy; none where nobody has said anything yet.
pub(super) fn wanted(name: &str, dir: &LabDir) -> Result<Option<Mode>> {
    read(&dir.proxy_file(name))
}

/// Says what the proxy does now.
pub(super) fn note(mode: Mode, name: &str, dir: &LabDir) -> Result<()> {
    write_private(&dir.proxy_state_file(name), &format!("{mode}\n"))
}

fn read<T>(path: &Path) -> Result<Option<T>>
where
    T: FromStr,
    anyhow::Error: From<T::Err>,
{
    match fs::read_to_string(path) {
        Ok(text) => {
            let value = text.trim().parse().map_err(anyhow::Error::from);
            value.map(Some).with_context(|| path.display().to_string())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
    }
}
