//! What was said on a call, as its events tell it.

use call::Private;
use call::event::Speaker;
use ports::Fault;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::journal::{Reader, Wanted};

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counts from 1.
    pub(crate) number: u32,
    /// Who said it.
    pub(crate) who: Speaker,
    /// What was heard of it.
    pub(crate) text: Private<String>,
    /// What was not, because the caller began to speak.
    pub(crate) unheard: Option<Private<String>>,
    /// Milliseconds after the call began.
    pub(crate) ms: u64,
}

/// Something that was said, as it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    /// Counts from 1.
    pub(crate) line: u32,
    /// `caller`, the person on the phone, or `agent`, whoever spoke in our name.
    pub(crate) who: &'static str,
    /// What was heard of it.
    #[schema(value_type = String)]
    pub(crate) text: Private<String>,
    /// What was not, because the caller began to speak.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub(crate) unheard: Option<Private<String>>,
    /// Milliseconds after the call began.
    pub(crate) ms: u64,
}

impl From<Line> for LineView {
    fn from(line: Line) -> Self {
        Self {
            line: line.number,
            who: line.who.as_str(),
            text: line.text,
            unheard: line.unheard,
            ms: line.ms,
        }
    }
}

/// All that was said, in order.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// Each line that there is.
    pub(crate) lines: Vec<Line>,
}

impl Transcript {
    /// Adds what an event says was said.
    pub(crate) fn read(&mut self, event: &Value) {
        let text = |key: &str| event[key].as_str().map(Private::from);
        let (who, heard, unheard) = match event["type"].as_str().unwrap_or_default() {
            "caller.said" => (Speaker::Caller, text("text"), None),
            "agent.said" => (Speaker::Agent, text("text"), None),
            "agent.interrupted" => (Speaker::Agent, text("heard"), text("unheard")),
            _ => return,
        };
        let Some(text) = heard else { return };
        self.lines.push(Line {
            number: u32::try_from(self.lines.len()).map_or(u32::MAX, |it| it.saturating_add(1)),
            who,
            text,
            unheard,
            ms: event["ms"].as_u64().unwrap_or_default(),
        });
    }
}

/// Shows each of a call's events to `see`, in order.
///
/// # Errors
/// The journal cannot be read.
pub(crate) async fn events(
    reader: &Reader,
    call: &str,
    mut see: impl FnMut(&Value),
) -> Result<(), Fault> {
    let mut wanted = Wanted {
        call: Some(call.to_owned()),
        ..Wanted::default()
    };
    loop {
        let rows = reader.after(&wanted).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        wanted.after = last.id;
        for row in &rows {
            see(&serde_json::from_str(&row.entry).unwrap_or_default());
        }
    }
}
