//! The end of every help: examples, and the exit codes that the command can give.

use crate::exit::Exit;

/// What every command that asks the scheduler can end with.
pub(super) const ASKING: &[Exit] = &[
    Exit::Ok,
    Exit::Usage,
    Exit::Unavailable,
    Exit::Internal,
    Exit::Output,
    Exit::Temporary,
    Exit::Denied,
    Exit::Configuration,
];
/// The same, where what is asked for can be nonsense.
pub(super) const FORECAST: &[Exit] = &[
    Exit::Ok,
    Exit::Usage,
    Exit::Invalid,
    Exit::Unavailable,
    Exit::Internal,
    Exit::Output,
    Exit::Temporary,
    Exit::Denied,
    Exit::Configuration,
];
pub(super) const STATUS: &[Exit] = &[
    Exit::Ok,
    Exit::Trouble,
    Exit::Usage,
    Exit::Unavailable,
    Exit::Internal,
    Exit::Output,
    Exit::Configuration,
];
pub(super) const EXPLAIN: &[Exit] = &[
    Exit::Ok,
    Exit::Usage,
    Exit::NotFound,
    Exit::Unavailable,
    Exit::Internal,
    Exit::Output,
    Exit::Temporary,
    Exit::Denied,
    Exit::Configuration,
];
pub(super) const RENEW: &[Exit] = &[
    Exit::Ok,
    Exit::Usage,
    Exit::Invalid,
    Exit::NotFound,
    Exit::Unavailable,
    Exit::Internal,
    Exit::Output,
    Exit::Temporary,
    Exit::Denied,
    Exit::Configuration,
];
pub(super) const REVOKE: &[Exit] = RENEW;
pub(super) const PAUSE: &[Exit] = &[
    Exit::Ok,
    Exit::Trouble,
    Exit::Usage,
    Exit::NotFound,
    Exit::Unavailable,
    Exit::Internal,
    Exit::Output,
    Exit::Temporary,
    Exit::Denied,
    Exit::Configuration,
];
pub(super) const KUBECONFIG: &[Exit] = &[
    Exit::Ok,
    Exit::Usage,
    Exit::NotFound,
    Exit::Unavailable,
    Exit::Internal,
    Exit::Output,
    Exit::Temporary,
    Exit::Denied,
    Exit::Configuration,
];

/// Examples, and what the exit codes mean.
pub(super) fn ending(examples: &str, codes: &[Exit]) -> String {
    let mut text = format!("Examples:\n{examples}\n\nExit codes:");
    for code in codes {
        text += &format!("\n  {:>2}  {}", *code as u8, code.meaning());
    }
    text
}
/// A campaign that ended without being done is trouble.
pub(super) const CAMPAIGN: &[Exit] = &[
    Exit::Ok,
    Exit::Trouble,
    Exit::Usage,
    Exit::Invalid,
    Exit::NotFound,
    Exit::Unavailable,
    Exit::Internal,
    Exit::Output,
    Exit::Temporary,
    Exit::Denied,
    Exit::Configuration,
];
/// A budget that does not hold is trouble.
pub(super) const BUDGET: &[Exit] = CAMPAIGN;
