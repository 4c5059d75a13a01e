//! A line in the log for each turn of a pause.

use perennial_fleet::pauses::Turn;
use tracing::warn;

pub(super) fn log(turns: Vec<Turn>) {
    for turn in turns {
        match turn {
            Turn::Began(namespace, pause) => {
                warn!(%namespace, by = %pause.by, "the shoot is {pause}; nothing is ordered for it");
            }
            Turn::Ended(namespace, pause) => {
                warn!(%namespace, "the shoot is resumed, orders go out again; it was {pause}");
            }
            Turn::Late(secret, expires_at) => {
                let expires_at = expires_at.map(tracing::field::display);
                warn!(
                    namespace = %secret.namespace, name = %secret.name, expires_at,
                    "a token of a paused shoot should have been replaced by now; perennial resume {} \
                     ends the pause", secret.namespace
                );
            }
        }
    }
}
