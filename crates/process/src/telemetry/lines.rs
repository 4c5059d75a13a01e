//! A line within a span of ours says which trace it belongs to, and what the span says.
//!
//! In JSON the span's fields stand at the top of the object beside the line's own, so that one
//! query finds every line about a Secret, whoever wrote it. In text they stand before the message.
//! `trace_id` is the last field of both.

use std::{collections::BTreeMap, fmt};

use opentelemetry::{Context, trace::TraceContextExt as _};
use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{Format, Full, Json, Writer},
    },
    registry::LookupSpan,
};

/// Fields that tell the exporter something and the reader nothing.
const OF_EXPORTER: [&str; 2] = ["otel.", "rpc."];
/// Keys that every line has, or gets below.
const OF_LINE: [&str; 5] = ["timestamp", "level", "target", "message", "trace_id"];

fn is_of_exporter(field: &str) -> bool {
    OF_EXPORTER.iter().any(|prefix| field.starts_with(prefix))
}

/// 32 hexadecimal digits; none outside of a trace.
fn trace_id() -> Option<String> {
    Context::map_current(|context| {
        let span = context.span();
        let of_span = span.span_context();
        of_span.is_valid().then(|| of_span.trace_id().to_string())
    })
}

/// One JSON object a line.
#[derive(Debug)]
pub(super) struct JsonLines(Format<Json>);

impl Default for JsonLines {
    fn default() -> Self {
        let object = tracing_subscriber::fmt::format().json().flatten_event(true);
        Self(object.with_current_span(false).with_span_list(false))
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let open = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
        writer.write_str(open)?;
        for (key, value) in of_spans(context, event) {
            write!(writer, ",{}:{value}", Value::from(key))?;
        }
        if let Some(trace_id) = trace_id() {
            write!(writer, r#","trace_id":"{trace_id}""#)?;
        }
        writer.write_str("}\n")
    }
}

/// What the spans say and the line does not. The innermost span wins.
fn of_spans<S, N>(context: &FmtContext<'_, S, N>, event: &Event<'_>) -> BTreeMap<String, Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    let own = event.metadata().fields();
    let mut found = BTreeMap::new();
    for span in context.event_scope().into_iter().flatten() {
        let extensions = span.extensions();
        let Some(fields) = extensions.get::<FormattedFields<N>>() else { continue };
        let object: BTreeMap<String, Value> = serde_json::from_str(fields).unwrap_or_default();
        for (key, value) in object {
            let taken = is_of_exporter(&key)
                || OF_LINE.contains(&key.as_str())
                || own.field(&key).is_some();
            if !taken {
                found.entry(key).or_insert(value);
            }
        }
    }
    found
}

/// One line of text.
#[derive(Debug, Default)]
pub(super) struct TextLines(Format<Full>);

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(line.trim_end())?;
        if let Some(trace_id) = trace_id() {
            write!(writer, " trace_id={trace_id}")?;
        }
        writer.write_char('\n')
    }
}

/// `message key=value key="text"`, without those of the exporter.
#[derive(Debug)]
pub(super) struct TextFields;

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut text = FieldText { writer, begun: false, outcome: Ok(()) };
        fields.record(&mut text);
        text.outcome
    }
}

struct FieldText<'w> {
    writer: Writer<'w>,
    begun: bool,
    outcome: fmt::Result,
}

impl Visit for FieldText<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.outcome.is_err() || is_of_exporter(field.name()) {
            return;
        }
        let gap = if self.begun { " " } else { "" };
        self.begun = true;
        self.outcome = match field.name() {
            "message" => write!(self.writer, "{gap}{value:?}"),
            name => write!(self.writer, "{gap}{name}={value:?}"),
        };
    }
}
