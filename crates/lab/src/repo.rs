//! Where the sources and the built programs are, found from where we run: a path of the machine that
//! compiled us would be wrong on the next one.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

/// The file that marks the root of the repository.
const MARK: &str = "tests/cluster/go.mod";

/// The root of the repository: the first folder above the running program, then above the current
/// folder, that holds `tests/cluster/go.mod`.
///
/// # Errors
/// Neither lies inside a checkout.
pub fn root() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("failed to find the running program")?;
    let here = std::env::current_dir().context("failed to find the current folder")?;
    let found = above(&exe).or_else(|| above(&here));
    found.with_context(|| {
        format!(
            "no {MARK} above {} or {}: run inside the repository",
            exe.display(),
            here.display()
        )
    })
}

fn above(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|folder| folder.join(MARK).is_file()).map(Path::to_owned)
}

/// Names the folder of the programs, whichever was built last: what is timed runs optimised.
const PROGRAMS: &str = "PERENNIAL_PROGRAMS";

/// The folder that holds all of `programs`: that of `PERENNIAL_PROGRAMS`, else that of the running
/// program, else (a test runs from `deps/`) whichever of the debug and the release folder was built
/// last, so that a test never drives yesterday's services.
///
/// # Errors
/// No folder has them all: they are not built.
pub fn folder_with(programs: &[&str]) -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os(PROGRAMS).filter(|value| !value.is_empty()) {
        let folder = PathBuf::from(chosen);
        let complete = built_at(&folder, programs).is_some();
        anyhow::ensure!(
            complete,
            "{PROGRAMS}: {} not found in {}",
            programs.join(", "),
            folder.display()
        );
        return Ok(folder);
    }
    let exe = std::env::current_exe().context("failed to find the running program")?;
    let own = exe.parent().context("the running program has no folder")?;
    let profile = own.parent().filter(|_| own.ends_with("deps")).unwrap_or(own);
    if profile == own && built_at(own, programs).is_some() {
        return Ok(own.to_owned());
    }
    let candidates = [root()?.join("target/release"), profile.to_owned()];
    let newest = candidates
        .iter()
        .filter_map(|folder| built_at(folder, programs).map(|time| (time, folder)))
        .max_by_key(|(time, _)| *time);
    match newest {
        Some((_, folder)) => Ok(folder.clone()),
        None => bail!(
            "{} not found in {}: run `make build`",
            programs.join(", "),
            candidates.iter().map(|c| c.display().to_string()).collect::<Vec<_>>().join(" or ")
        ),
    }
}

/// When the last of the programs was built; none if one is missing. The last and not the first,
/// because cargo leaves alone what did not change.
fn built_at(folder: &Path, programs: &[&str]) -> Option<SystemTime> {
    let times = programs.iter().map(|name| folder.join(name).metadata()?.modified());
    times.collect::<Result<Vec<_>, std::io::Error>>().ok()?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_from_a_test() {
        assert!(root().unwrap().join("deploy/seed").is_dir());
    }

    #[test]
    fn a_folder_counts_only_with_all_programs() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one"), "").unwrap();

        assert!(built_at(folder.path(), &["one"]).is_some());
        assert!(built_at(folder.path(), &["one", "two"]).is_none());
    }
}
