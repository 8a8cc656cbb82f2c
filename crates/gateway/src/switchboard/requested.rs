//! Carriers that are told by requests what to do with a call, and not in replies to their questions.

use std::sync::Arc;
use std::time::Duration;

use ports::carrier::{Carrier, News, Orders, Webhook};
use ports::{Fault, Retry};
use tokio::time::sleep;

use super::wish::Verdict;
use super::{CallId, Switchboard};

impl Switchboard {
    /// Hears what such a carrier says about a call, and has done with it what is to be done.
    pub async fn hear(
        self: &Arc<Self>,
        name: &str,
        carrier: &Carrier,
        (hint, after): (Option<CallId>, Option<u64>),
        webhook: &Webhook,
    ) {
        let verdict = match &webhook.news {
            News::Answered if self.was_asked(name, hint, webhook) => return,
            News::Offered { .. } | News::Answered => self.asked(name, hint, webhook).await,
            News::PutBack(_) => self.adrift(name, hint, after, webhook).await,
            News::Adrift
            | News::AnsweredBy(_)
            | News::Ended(_)
            | News::Joined
            | News::Nothing
            | News::Parted
            | News::Recorded(_)
            | News::Ringing
            | News::Unconnected(_) => {
                self.told(name, hint, webhook).await;
                return;
            }
        };
        for _ in 0..TRIES {
            match request(carrier, webhook, &verdict).await {
                Ok(()) => return,
                Err(fault) if fault.retry == Retry::Never => return unheard(name, &fault),
                Err(fault) => unheard(name, &fault),
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether the carrier repeats itself, or someone repeats it: what is done about a call that was
    /// answered is done once.
    fn was_asked(&self, name: &str, hint: Option<CallId>, webhook: &Webhook) -> bool {
        let record = self.find(name, hint, (&webhook.leg, &webhook.dialled));
        record.is_some_and(|it| !it.is_news(&format!("asked {}", webhook.notice)))
    }
}

async fn request(carrier: &Carrier, webhook: &Webhook, verdict: &Verdict) -> Result<(), Fault> {
    let leg = &webhook.leg;
    match (verdict, &webhook.news) {
        // A call that was offered answers by itself, once it has begun.
        (Verdict::Connect(_), News::Offered { .. }) => Ok(()),
        (Verdict::Connect(stream), _) => carrier.calls.reconnect(leg, stream).await,
        (Verdict::HangUp, _) => carrier.calls.hang_up(leg).await,
        // It was told to, and asks nothing about it.
        (Verdict::Transfer(_), _) => Ok(()),
        (Verdict::Reject, _) => match &carrier.orders {
            Orders::Requested(offers) => offers.reject(leg).await,
            Orders::Replied => Ok(()),
        },
    }
}

fn unheard(name: &str, fault: &Fault) {
    let (code, hint) = (fault.code, fault.hint.as_deref());
    tracing::warn!(
        carrier = name,
        code,
        hint,
        "a carrier did not do what it was told: {fault}"
    );
}

const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);
