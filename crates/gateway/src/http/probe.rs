//! A webhook that `offhook doctor` sends to itself through the public address, to see whether one would
//! arrive as it was sent. It is verified like any other, and never read or acted upon.

use axum::Json;
use ports::carrier::{Request, Webhooks};
use serde::{Deserialize, Serialize};

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arrived {
    /// The address it came to, as we know ourselves: what was signed should be this.
    pub(crate) url: String,
    /// How long its body was.
    pub(crate) length: usize,
    /// Why its signature is not believed; empty: it is.
    pub(crate) doubt: String,
}

/// Tells whoever sent it how a probe arrived. They learn what they sent, and whether they can sign,
/// which any webhook's status tells.
pub(crate) fn answer(webhooks: &dyn Webhooks, request: &Request) -> Json<Arrived> {
    let doubt = webhooks.verify(request).err();
    Json(Arrived {
        url: request.url.clone(),
        length: request.body.len(),
        doubt: doubt.map(|it| it.message).unwrap_or_default(),
    })
}

/// What a probe is known by.
pub(crate) const HEADER: &str = "x-offhook-probe";
