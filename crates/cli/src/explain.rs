//! `perennial explain`: why one Secret is renewed when it is, what keeps it, and what to do.

use perennial_proto::scheduler::v1::ExplainScheduleRequest;

use crate::{
    args::{ExplainArgs, Output},
    connect::{Scheduler, with_deadline},
    error::CliError,
    json, list,
};

pub mod text;
mod timeline;

pub(crate) async fn run(mut scheduler: Scheduler, args: ExplainArgs) -> Result<(), CliError> {
    let ExplainArgs { secret, output } = args;
    let (namespace, name) = (secret.namespace.to_string(), secret.name.to_string());
    let request = with_deadline(ExplainScheduleRequest { namespace, name });
    let answer = scheduler.explain_schedule(request).await.map_err(CliError::call)?;
    let explanation = answer.into_inner().explanation;
    let explanation =
        explanation.ok_or_else(|| CliError::Nonsense("it has no explanation".to_owned()))?;
    match output.output {
        Output::Text => list::print(&text::lines(&explanation)),
        Output::Json => json::print(&explanation),
    }
}
