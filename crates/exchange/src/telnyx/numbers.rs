//! The account as the API shows it: its numbers, and the Call Control application that has them.
//!
//! Source: the carrier's OpenAPI description (ListPhoneNumbers, UpdatePhoneNumber, RetrieveCallControlApplication,
//! UpdateCallControlApplication).

use super::Carrier;
use super::body::Body;
use super::rest::{Answered, not_found, refusal};
use crate::office::Number;
use crate::standing::{Owner, Terms};
use serde_json::{Map, Value, json};

/// The application, of which there is one: it is the account's connection.
pub(super) fn application(carrier: &Carrier, id: &str) -> Answered {
    if id != carrier.account.id {
        return Err(not_found());
    }
    let numbers = carrier.office.numbers();
    let mut ours = numbers.iter().filter(|(_, it)| it.owner == Owner::Itself);
    let webhook = ours.next().map(|(_, number)| &number.voice_url);
    let standing = carrier.office.standing();
    let profile = standing.closed.is_empty().then_some("1293384261075731499");
    Ok(json!({"data": {
        "record_type": "call_control_application",
        "id": id,
        "application_name": "exchange",
        "active": standing.terms != Terms::Spent,
        "webhook_event_url": webhook,
        "webhook_event_failover_url": null,
        "webhook_api_version": "2",
        "webhook_timeout_secs": 2,
        "outbound": {"channel_limit": 10, "outbound_voice_profile_id": profile},
    }}))
}

pub(super) fn change_application(carrier: &Carrier, id: &str, body: &Map<String, Value>) -> Answered {
    if id != carrier.account.id {
        return Err(not_found());
    }
    let body = Body(body);
    body.required("application_name")?;
    let url = body.required("webhook_event_url")?;
    if !url.starts_with("https://") && !url.starts_with("http://") {
        let text = "webhook_event_url must include a scheme";
        return Err(refusal(422, 10015, text).at("webhook_event_url"));
    }
    if body.choice("webhook_api_version", &["1", "2"])? == Some("1") {
        return Err(refusal(422, 10015, "version 1 is not played here").at("webhook_api_version"));
    }
    carrier.office.change_all(|it| {
        if it.owner == Owner::Itself {
            url.clone_into(&mut it.voice_url);
        }
    });
    application(carrier, id)
}

pub(super) fn list(carrier: &Carrier, query: &[(String, String)]) -> Value {
    let said = |name: &str| {
        let found = query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let count = |name: &str| said(name).and_then(|it| it.parse::<usize>().ok()).filter(|it| *it > 0);
    let (size, at) = (count("page[size]").unwrap_or(20), count("page[number]").unwrap_or(1));
    let wanted = said("filter[phone_number]");
    let numbers: Vec<Value> = carrier
        .office
        .numbers()
        .into_iter()
        .filter(|(phone, _)| wanted.is_none_or(|wanted| phone.contains(wanted)))
        .map(|(phone, number)| show(carrier, &phone, &number))
        .collect();
    let count = numbers.len();
    let meta = json!({
        "total_pages": count.div_ceil(size),
        "total_results": count,
        "page_number": at,
        "page_size": size,
    });
    let numbers: Vec<Value> = numbers.into_iter().skip((at - 1) * size).take(size).collect();
    json!({"data": numbers, "meta": meta})
}

/// Gives a number to a connection.
pub(super) fn change(carrier: &Carrier, id: &str, body: &Map<String, Value>) -> Answered {
    let mut numbers = carrier.office.numbers().into_iter();
    let (phone, _) = numbers.find(|(_, it)| it.id == id).ok_or_else(not_found)?;
    let body = Body(body);
    if let Some(connection) = body.text("connection_id")? {
        let owner = if connection == carrier.account.id {
            Owner::Itself
        } else {
            Owner::Application(connection.to_owned())
        };
        carrier.office.change(&phone, |it| it.owner = owner);
    }
    let number = carrier.office.number(&phone).ok_or_else(not_found)?;
    Ok(json!({"data": show(carrier, &phone, &number)}))
}

fn show(carrier: &Carrier, phone: &str, number: &Number) -> Value {
    let connection = number.owner.id().unwrap_or(&carrier.account.id);
    json!({
        "record_type": "phone_number",
        "id": number.id,
        "phone_number": phone,
        "status": "active",
        "connection_id": connection,
        "connection_name": if number.owner == Owner::Itself { "exchange" } else { "another" },
    })
}
