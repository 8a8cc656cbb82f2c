//! The account as the API shows it: its numbers, and the applications that have their addresses.
//!
//! Source: the carrier's API reference and its SDK. A number that was given addresses by nobody has an application of
//! its own here, of the same id.

use super::body::{Body, is_url};
use super::rest::{Answered, refusal};
use super::{Carrier, digits};
use crate::office::{Number, lock};
use crate::standing::{Owner, Terms};
use serde_json::{Value, json};

/// An application that was made through the API.
pub(super) struct Application {
    pub(super) id: String,
    name: String,
    answer_url: String,
    hangup_url: String,
}

pub(super) fn account(carrier: &Carrier) -> Value {
    let (kind, credits) = match carrier.office.standing().terms {
        Terms::Paid => ("standard", "100.00000"),
        Terms::Spent => ("standard", "0.00000"),
        Terms::Trial(_) => ("developer", "10.00000"),
    };
    json!({
        "auth_id": carrier.account.id,
        "account_type": kind,
        "name": "The exchange",
        "timezone": "UTC",
        "cash_credits": credits,
        "auto_recharge": false,
        "billing_mode": "prepaid",
        "resource_uri": format!("/v1/Account/{}/", carrier.account.id),
    })
}

pub(super) fn list(carrier: &Carrier, query: &[(String, String)]) -> Value {
    let numbers = carrier.office.numbers();
    let all = numbers.iter().map(|(number, known)| describe(carrier, digits(number), known));
    page(carrier, "Number", all.collect(), query)
}

pub(super) fn describe(carrier: &Carrier, number: &str, known: &Number) -> Value {
    let account = &carrier.account.id;
    let application = known.owner.id().unwrap_or(&known.id);
    json!({
        "number": number,
        "alias": null,
        "active": true,
        "number_type": "tollfree",
        "voice_enabled": true,
        "sms_enabled": false,
        "application": format!("/v1/Account/{account}/Application/{application}/"),
        "resource_uri": format!("/v1/Account/{account}/Number/{number}/"),
    })
}

/// Gives a number to an application.
pub(super) fn change(carrier: &Carrier, number: &str, body: &Body) -> Answered {
    let not_found = || refusal(404, "not found");
    carrier.office.number(number).ok_or_else(not_found)?;
    if let Some(id) = body.text("app_id")? {
        let made = lock(&carrier.applications);
        let application = made.iter().find(|it| it.id == id);
        let application = application.ok_or_else(|| refusal(400, "app_id parameter is invalid"))?;
        carrier.office.change(number, |it| {
            it.id.clone_from(&application.id);
            it.voice_url.clone_from(&application.answer_url);
            it.status_url.clone_from(&application.hangup_url);
            it.owner = Owner::Itself;
        });
    }
    Ok((202, Some(json!({"message": "changed"}))))
}

pub(super) fn applications(carrier: &Carrier, query: &[(String, String)]) -> Value {
    let made = lock(&carrier.applications);
    let mut all: Vec<Value> = made.iter().map(|it| show(carrier, it)).collect();
    let is_made = |id: &str| made.iter().any(|it| it.id == id);
    for (_, number) in carrier.office.numbers() {
        if !is_made(&number.id) {
            all.push(show(carrier, &native(&number)));
        }
        if let Some(id) = number.owner.id() {
            all.push(show(carrier, &foreign(id)));
        }
    }
    page(carrier, "Application", all, query)
}

pub(super) fn application(carrier: &Carrier, id: &str) -> Answered {
    let made = lock(&carrier.applications);
    if let Some(made) = made.iter().find(|it| it.id == id) {
        return Ok((200, Some(show(carrier, made))));
    }
    let mut numbers = carrier.office.numbers().into_iter().map(|(_, it)| it);
    let found = numbers.find_map(|it| {
        let theirs = it.owner.id().filter(|owner| *owner == id).map(foreign);
        theirs.or_else(|| (it.id == id).then(|| native(&it)))
    });
    let found = found.ok_or_else(|| refusal(404, "not found"))?;
    Ok((200, Some(show(carrier, &found))))
}

pub(super) fn make(carrier: &Carrier, body: &Body) -> Answered {
    let name = body.required("app_name")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ' ');
    let mut made = lock(&carrier.applications);
    if !name.chars().all(plain) || made.iter().any(|it| it.name == name) {
        return Err(refusal(400, format!("app_name parameter is invalid: {name}")));
    }
    let application = Application {
        id: super::uuid().replace('-', ""),
        name,
        answer_url: url(body, "answer_url")?,
        hangup_url: url(body, "hangup_url")?,
    };
    let answer = json!({"message": "created", "app_id": application.id});
    made.push(application);
    Ok((201, Some(answer)))
}

pub(super) fn change_application(carrier: &Carrier, id: &str, body: &Body) -> Answered {
    let mut made = lock(&carrier.applications);
    let known = made.iter_mut().find(|it| it.id == id);
    let known = known.ok_or_else(|| refusal(404, "not found"))?;
    known.answer_url = url(body, "answer_url")?;
    known.hangup_url = url(body, "hangup_url")?;
    carrier.office.change_all(|it| {
        if it.id == known.id {
            it.voice_url.clone_from(&known.answer_url);
            it.status_url.clone_from(&known.hangup_url);
        }
    });
    Ok((202, Some(json!({"message": "changed"}))))
}

fn url(body: &Body, name: &str) -> Result<String, super::rest::Refusal> {
    let url = body.text(name)?.unwrap_or_default();
    if url.is_empty() || is_url(&url) {
        return Ok(url);
    }
    Err(refusal(400, format!("{name} parameter is invalid: {url}")))
}

/// What has a number's addresses that nobody made.
fn native(number: &Number) -> Application {
    Application {
        id: number.id.clone(),
        name: "exchange".to_owned(),
        answer_url: number.voice_url.clone(),
        hangup_url: number.status_url.clone(),
    }
}

/// Something that asks nobody.
fn foreign(id: &str) -> Application {
    Application {
        id: id.to_owned(),
        name: id.to_owned(),
        answer_url: String::new(),
        hangup_url: String::new(),
    }
}

fn show(carrier: &Carrier, it: &Application) -> Value {
    let account = &carrier.account.id;
    json!({
        "app_id": it.id,
        "app_name": it.name,
        "answer_url": it.answer_url,
        "answer_method": "POST",
        "hangup_url": it.hangup_url,
        "hangup_method": "POST",
        "enabled": true,
        "default_app": false,
        "resource_uri": format!("/v1/Account/{account}/Application/{}/", it.id),
    })
}

/// A page of no more than twenty.
fn page(carrier: &Carrier, of: &str, all: Vec<Value>, query: &[(String, String)]) -> Value {
    let said = |name: &str| {
        let found = query.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (limit, offset) = (said("limit").unwrap_or(PAGE).clamp(1, PAGE), said("offset").unwrap_or(0));
    let total = all.len();
    let at = |offset: usize| format!("/v1/Account/{}/{of}/?limit={limit}&offset={offset}", carrier.account.id);
    let next = (offset + limit < total).then(|| at(offset + limit));
    let objects: Vec<Value> = all.into_iter().skip(offset).take(limit).collect();
    json!({
        "meta": {"limit": limit, "next": next, "offset": offset, "previous": null, "total_count": total},
        "objects": objects,
    })
}

const PAGE: usize = 20;
