//! Lines in the log when replicas come and go.

use perennial_core::membership::View;
use perennial_fleet::ownership::Sharing;
use tracing::info;

/// What is worth a line: another set of replicas, or that the others had time to see us.
pub(super) fn news(before: Option<&View>, now: Option<&View>) -> Option<View> {
    let now = now.filter(|now| before != Some(now))?;
    Some(now.clone())
}

pub(super) fn log(news: Option<View>, sharing: impl FnOnce() -> Sharing) {
    let Some(View { me, live, is_settled }) = news else { return };
    let all: Vec<&str> = live.iter().map(|replica| replica.as_str()).collect();
    let (all, shoots) = (all.join(", "), sharing().shoots);
    match is_settled {
        true => info!(%me, live = all, shoots, "this replica serves its share of the shoots"),
        false => {
            info!(%me, live = all, "this replica joins; it orders nothing before the others saw it")
        }
    }
}
