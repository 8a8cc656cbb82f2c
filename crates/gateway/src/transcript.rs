//! What was said on a call, as it was heard.

use call::Private;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Something that was said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
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

/// What an entry of the journal tells of what was said, if anything.
pub(crate) fn line(entry: &Value) -> Option<LineView> {
    let text = |key: &str| entry[key].as_str().map(Private::from);
    let (who, heard, unheard) = match entry["type"].as_str()? {
        "caller.said" => ("caller", text("text")?, None),
        "agent.said" => ("agent", text("text")?, None),
        "agent.interrupted" => ("agent", text("heard")?, text("unheard")),
        _ => return None,
    };
    Some(LineView {
        who,
        text: heard,
        unheard,
        ms: entry["ms"].as_u64().unwrap_or_default(),
    })
}
