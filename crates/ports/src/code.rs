//! Every code a [`crate::Fault`] can carry. The line above each is its page in `docs/errors.md`.

/// Writes the codes down, and a list of them beside.
macro_rules! codes {
    ($($(#[$page:meta])+ pub const $name:ident: &str = $code:literal;)+) => {
        $($(#[$page])+ pub const $name: &str = $code;)+

        const ALL: &[&str] = &[$($name),+];
    };
}

/// The code that reads so; `None`: there is none, as may be where another build wrote it.
pub fn find(text: &str) -> Option<&'static str> {
    ALL.iter().find(|it| **it == text).copied()
}

// Every code stands in here, one below the other, so that it can be found by its text.
codes! {
/// The carrier refused our credentials.
pub const CARRIER_CREDENTIALS: &str = "carrier.credentials";
/// The number we call from does not belong to this carrier account.
pub const CARRIER_NUMBER_NOT_OWNED: &str = "carrier.number_not_owned";
/// The carrier does not let this account call that number.
pub const CARRIER_NOT_PERMITTED: &str = "carrier.not_permitted";
/// The carrier says that the number called does not exist.
pub const CARRIER_NO_SUCH_NUMBER: &str = "carrier.no_such_number";
/// The carrier asked us to slow down.
pub const CARRIER_BUSY: &str = "carrier.busy";
/// The carrier could not be reached.
pub const CARRIER_UNREACHABLE: &str = "carrier.unreachable";
/// The carrier's answer to a dial did not come, so the call may or may not exist.
pub const CARRIER_UNKNOWN: &str = "carrier.unknown";
/// The carrier refused a request in a way we have no name for.
pub const CARRIER_REFUSED: &str = "carrier.refused";
/// The carrier knows no such call.
pub const CARRIER_NO_SUCH_CALL: &str = "carrier.no_such_call";
/// The carrier takes calls for us and cannot connect their sound to our address.
pub const CARRIER_UNREACHED: &str = "carrier.unreached";
/// A webhook has no valid signature.
pub const WEBHOOK_FORGED: &str = "webhook.forged";
/// A webhook was signed, but makes no sense.
pub const WEBHOOK_MALFORMED: &str = "webhook.malformed";
/// A media socket came without a valid token.
pub const STREAM_TOKEN: &str = "stream.token";
/// A message on a media socket makes no sense.
pub const STREAM_MALFORMED: &str = "stream.malformed";
/// A media socket carries sound we cannot decode.
pub const STREAM_FORMAT: &str = "stream.format";
/// A number is not in E.164 form, or is an emergency number.
pub const POLICY_NUMBER: &str = "policy.number";
/// The number called is not on the list of numbers that may be called.
pub const POLICY_NOT_ALLOWED: &str = "policy.not_allowed";
/// Nobody waits to be paired under that name or number, or as many codes are good as may be.
pub const POLICY_PAIRING: &str = "policy.pairing";
/// Nobody is sure enough of who the caller is for what the agent wanted to do for them.
pub const POLICY_TRUST: &str = "policy.trust";
/// The number called is of a kind that is never dialled: premium-rate, shared-cost, satellite, unknown.
pub const POLICY_DANGEROUS: &str = "policy.dangerous";
/// The number called is one of our own.
pub const POLICY_OWN_NUMBER: &str = "policy.own_number";
/// Whoever has the number called said that they are not to be called any more.
pub const POLICY_DO_NOT_CALL: &str = "policy.do_not_call";
/// It is not the time to call there.
pub const POLICY_HOURS: &str = "policy.hours";
/// No call is planned with that token, or no more calls can be planned.
pub const CALL_PLANS: &str = "call.plans";
/// The caller is not on the list of those who may call.
pub const POLICY_CALLER: &str = "policy.caller";
/// As many calls are up as may be.
pub const POLICY_TOO_MANY_CALLS: &str = "policy.too_many_calls";
/// The call could cost more than may be spent.
pub const POLICY_SPEND: &str = "policy.spend";
/// As many calls were made in the last hour as may be.
pub const POLICY_TOO_OFTEN: &str = "policy.too_often";
/// The owner has stopped everything.
pub const POLICY_STOPPED: &str = "policy.stopped";
/// The call is made only once the owner has said yes to it, or the owner said no, or nothing in time.
pub const POLICY_APPROVAL: &str = "policy.approval";
/// Too many numbers that were never called before were to be called, one soon after the other.
pub const POLICY_BURST: &str = "policy.burst";
/// Somebody other than the owner is not called without a purpose, or their consent.
pub const POLICY_CONSENT: &str = "policy.consent";
/// No call waits for a yes by that name, or too many do.
pub const CALL_APPROVALS: &str = "call.approvals";
/// No call back waits by that name; or none can be promised, since one is already, or too many are.
pub const CALL_CALLBACKS: &str = "call.callbacks";
/// A meeting has had as many people as it can.
pub const MEETING_FULL: &str = "meeting.full";
/// Only an agent at a meeting can be told to listen, or to talk again.
pub const MEETING_NOT_AN_AGENT: &str = "meeting.not_an_agent";
/// There is no such meeting, or it is over.
pub const MEETING_UNKNOWN: &str = "meeting.unknown";
/// The configuration is not right.
pub const CONFIG_INVALID: &str = "config.invalid";
/// There is no configuration.
pub const CONFIG_MISSING: &str = "config.missing";
/// A speech model is not on this machine.
pub const SPEECH_MODEL_MISSING: &str = "speech.model_missing";
/// A speech model could not be loaded.
pub const SPEECH_MODEL_BROKEN: &str = "speech.model_broken";
/// A speech model failed while running.
pub const SPEECH_FAILED: &str = "speech.failed";
/// Speech has more to do than this machine can.
pub const SPEECH_OVERLOADED: &str = "speech.overloaded";
/// A model could not be fetched.
pub const MODEL_FETCH: &str = "model.fetch";
/// A model is not what it should be.
pub const MODEL_CHECKSUM: &str = "model.checksum";
/// The agent did not answer in time.
pub const AGENT_TIMEOUT: &str = "agent.timeout";
/// The agent could not be reached.
pub const AGENT_UNREACHABLE: &str = "agent.unreachable";
/// The agent refused our credentials.
pub const AGENT_CREDENTIALS: &str = "agent.credentials";
/// The agent answered something that makes no sense, or an error.
pub const AGENT_REFUSED: &str = "agent.refused";
/// The gateway is not running, or cannot be reached.
pub const GATEWAY_UNREACHABLE: &str = "gateway.unreachable";
/// The gateway refused our token.
pub const GATEWAY_TOKEN: &str = "gateway.token";
/// The token may not do that.
pub const GATEWAY_SCOPE: &str = "gateway.scope";
/// The request comes from a page of another site, or was sent to another name.
pub const GATEWAY_FOREIGN: &str = "gateway.foreign";
/// An address that somebody else named is not asked: it is not that of a public machine.
pub const EGRESS_REFUSED: &str = "egress.refused";
/// The program that is to open a tunnel is not installed.
pub const EXPOSE_MISSING: &str = "expose.missing";
/// The program that is to open a tunnel does not.
pub const EXPOSE_SHUT: &str = "expose.shut";
/// The request makes no sense.
pub const API_INVALID: &str = "api.invalid";
/// There is no such address, or it cannot be asked that.
pub const API_UNKNOWN: &str = "api.unknown";
/// The address to listen on is taken.
pub const GATEWAY_PORT: &str = "gateway.port";
/// Nobody can be told who speaks to them, because the sound of it was never made and cannot be made now;
/// so nobody is talked to.
pub const CALL_NO_DISCLOSURE: &str = "call.no_disclosure";
/// There is no such call.
pub const CALL_UNKNOWN: &str = "call.unknown";
/// There is no sound on the call, not yet or not any more.
pub const CALL_NOT_UP: &str = "call.not_up";
/// Another agent talks on the call than whoever asks.
pub const CALL_NOT_BY_HAND: &str = "call.not_by_hand";
/// An `Idempotency-Key` makes no sense, or was used for something else.
pub const CALL_KEY: &str = "call.key";
/// A request was begun before, and what became of it is not known.
pub const CALL_UNSURE: &str = "call.unsure";
/// A call was asked for in which nothing would be said.
pub const CALL_WORDLESS: &str = "call.wordless";
/// What a call is to achieve is more than an agent can be told, or its schema is none.
pub const CALL_OBJECTIVE: &str = "call.objective";
/// What came of a call cannot be said: it is up, was for nothing in particular, was judged before, or is somebody else's.
pub const CALL_OUTCOME: &str = "call.outcome";
/// The journal cannot be read or written.
pub const JOURNAL_BROKEN: &str = "journal.broken";
/// The journal is encrypted with a key that was not given.
pub const JOURNAL_KEY: &str = "journal.key";
/// Another gateway keeps its journal in the same place.
pub const JOURNAL_TAKEN: &str = "journal.taken";
/// A report or an event could not be handed to where the configuration wants it.
pub const REPORT_UNDELIVERED: &str = "report.undelivered";
/// No dead letter is called so, and no destination of reports.
pub const REPORT_UNKNOWN: &str = "report.unknown";
/// The gateway is stopping, and begins no new calls.
pub const GATEWAY_STOPPING: &str = "gateway.stopping";
/// A part of the gateway broke.
pub const GATEWAY_BROKEN: &str = "gateway.broken";
/// A flight recording is damaged, or is none.
pub const FLIGHT_BROKEN: &str = "flight.broken";
/// A flight recording was made by another version of offhook, and cannot be run again by this one.
pub const FLIGHT_FORMAT: &str = "flight.format";
/// No flight recording is kept of that call.
pub const FLIGHT_NONE: &str = "flight.none";
/// A call that was run again did not tell the same events.
pub const FLIGHT_DIFFERS: &str = "flight.differs";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_text() {
        let written = include_str!("code.rs").lines();
        let written = written.filter(|it| it.starts_with("pub const ")).count();
        assert_eq!(ALL.len(), written, "a code stands outside of the list");
        assert_eq!(find("speech.failed"), Some(SPEECH_FAILED));
        assert_eq!(find("speech.fail"), None);
    }
}
