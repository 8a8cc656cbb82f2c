//! The REST API's view of conferences: which there are, who is in them, and their end.
//!
//! Source: the carrier's OpenAPI description (ListConference, FetchConference, UpdateConference, FetchParticipant,
//! ListParticipant).

use super::conference::{Conference, Participant, Stage};
use super::form::{Form, known, once};
use super::rest::{Answered, Asked, page, refusal};
use super::{Carrier, date};
use serde_json::{Value, json};

/// Answers what is asked about `Conferences…`.
pub(super) fn answer(carrier: &Carrier, asked: &Asked, rest: &str) -> Answered {
    let not_found = || {
        let text = format!("The requested resource {} was not found", asked.path);
        refusal(404, 20404, text)
    };
    if (asked.method.as_str(), rest) == ("GET", "Conferences.json") {
        return list(carrier, asked);
    }
    let rest = rest.strip_prefix("Conferences/").ok_or_else(not_found)?;
    let rest = rest.strip_suffix(".json").ok_or_else(not_found)?;
    let (sid, rest) = rest
        .split_once('/')
        .map_or((rest, None), |(sid, rest)| (sid, Some(rest)));
    let conference = carrier.conferences.find(sid).ok_or_else(not_found)?;
    match (asked.method.as_str(), rest) {
        ("GET", None) => {
            known(&asked.query, &[])?;
            Ok((200, describe(carrier, &conference)))
        }
        ("POST", None) => update(carrier, &conference, asked),
        ("GET", Some("Participants")) => participants(carrier, &conference, asked),
        ("GET", Some(rest)) => {
            known(&asked.query, &[])?;
            let named = rest.strip_prefix("Participants/").ok_or_else(not_found)?;
            let people = conference.people();
            let is_meant = |it: &&Participant| {
                it.call.id == named || (it.label == named && !named.is_empty())
            };
            let found = people.iter().find(is_meant).ok_or_else(not_found)?;
            Ok((200, person(carrier, &conference, found)))
        }
        _ => Err(refusal(405, 20004, "Method not allowed")),
    }
}

fn list(carrier: &Carrier, asked: &Asked) -> Answered {
    known(&asked.query, LIST)?;
    let query = Form(&asked.query);
    let size = query.page_size()?;
    let wanted = |name: &str, value: &str| query.get(name).is_none_or(|it| it == value);
    if let Some(stranger) = query.get("Status").filter(|it| !STATES.contains(it)) {
        let text = format!("{stranger} is not a conference's status");
        return Err(refusal(400, 20001, text));
    }
    let all = carrier.conferences.all();
    let found = all.iter().filter(|it| {
        wanted("FriendlyName", &it.name) && wanted("Status", it.stage().as_str())
    });
    let found = found.rev().take(size).map(|it| describe(carrier, it));
    let found: Vec<Value> = found.collect();
    Ok((200, page(carrier, "Conferences", "conferences", found, size)))
}

fn update(carrier: &Carrier, conference: &Conference, asked: &Asked) -> Answered {
    known(&asked.query, &[])?;
    known(&asked.form, &["Status", "AnnounceUrl", "AnnounceMethod"])?;
    once(&asked.form, &[])?;
    match Form(&asked.form).get("Status") {
        None => {}
        Some("completed") => carrier.conferences.close(conference),
        Some(other) => {
            let text = format!("{other} is not a status a conference can be given");
            return Err(refusal(400, 20001, text));
        }
    }
    Ok((200, describe(carrier, conference)))
}

fn participants(carrier: &Carrier, conference: &Conference, asked: &Asked) -> Answered {
    known(&asked.query, &["Muted", "Hold", "Coaching", "PageSize", "Page", "PageToken"])?;
    let size = Form(&asked.query).page_size()?;
    let people = conference.people();
    let people = people.iter().take(size);
    let people = people.map(|it| person(carrier, conference, it)).collect();
    let resource = format!("Conferences/{}/Participants", conference.sid);
    Ok((200, page(carrier, &resource, "participants", people, size)))
}

fn describe(carrier: &Carrier, conference: &Conference) -> Value {
    let account = &carrier.account.id;
    let uri = format!("/2010-04-01/Accounts/{account}/Conferences/{}", conference.sid);
    let stage = conference.stage();
    let ended = match stage {
        Stage::Init | Stage::InProgress => None,
        Stage::Completed(reason) => Some(reason.as_str()),
    };
    json!({
        "account_sid": account,
        "api_version": "2010-04-01",
        "call_sid_ending_conference": null,
        "date_created": date(conference.created),
        "date_updated": date(conference.created),
        "friendly_name": conference.name,
        "reason_conference_ended": ended,
        "region": "us1",
        "sid": conference.sid,
        "status": stage.as_str(),
        "subresource_uris": {
            "participants": format!("{uri}/Participants.json"),
            "recordings": format!("{uri}/Recordings.json"),
        },
        "uri": format!("{uri}.json"),
    })
}

fn person(carrier: &Carrier, conference: &Conference, participant: &Participant) -> Value {
    let account = &carrier.account.id;
    let place = format!("Conferences/{}/Participants/{}", conference.sid, participant.call.id);
    json!({
        "account_sid": account,
        "call_sid": participant.call.id,
        "call_sid_to_coach": null,
        "coaching": false,
        "conference_sid": conference.sid,
        "date_created": date(conference.created),
        "date_updated": date(conference.created),
        "end_conference_on_exit": participant.ends,
        "hold": false,
        "label": (!participant.label.is_empty()).then_some(&participant.label),
        "muted": participant.muted,
        "queue_time": null,
        "start_conference_on_enter": participant.starts,
        "status": "connected",
        "uri": format!("/2010-04-01/Accounts/{account}/{place}.json"),
    })
}

const STATES: [&str; 3] = ["init", "in-progress", "completed"];

const LIST: &[&str] = &[
    "DateCreated",
    "DateCreated<",
    "DateCreated>",
    "DateUpdated",
    "DateUpdated<",
    "DateUpdated>",
    "FriendlyName",
    "Status",
    "PageSize",
    "Page",
    "PageToken",
];
