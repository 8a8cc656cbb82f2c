//! The account as the API shows it: its numbers, what it pays, which countries it may call.
//!
//! Source: the carrier's OpenAPI description (FetchAccount, ListIncomingPhoneNumber, UpdateIncomingPhoneNumber,
//! ListDialingPermissionsCountry).

use super::form::{Form, LIST_NUMBERS, UPDATE_NUMBER, known, once};
use super::rest::{Answered, Asked, Refusal, formatted, page, refusal};
use super::{Carrier, number_sid};
use crate::office::Number;
use crate::standing::{Owner, Terms};
use serde_json::{Value, json};

pub(super) fn describe(carrier: &Carrier) -> Value {
    let (kind, status) = match carrier.office.standing().terms {
        Terms::Paid => ("Full", "active"),
        Terms::Spent => ("Full", "suspended"),
        Terms::Trial(_) => ("Trial", "active"),
    };
    let id = &carrier.account.id;
    json!({
        "sid": id,
        "owner_account_sid": id,
        "friendly_name": "The exchange",
        "status": status,
        "type": kind,
        "auth_token": "redacted",
        "date_created": "Thu, 30 Jul 2026 20:00:00 +0000",
        "date_updated": "Thu, 30 Jul 2026 20:00:00 +0000",
        "uri": format!("/2010-04-01/Accounts/{id}.json"),
        "subresource_uris": {},
    })
}

/// Whether the account may call a number.
pub(super) fn may_call(carrier: &Carrier, to: &str) -> Result<(), Refusal> {
    let standing = carrier.office.standing();
    if standing.unverified(to) {
        let text = format!("The number {to} is unverified. Trial accounts call verified numbers only");
        return Err(refusal(400, 21219, text));
    }
    if standing.closes(to) {
        let text = format!("The account is not authorized to call {to}: see its geo permissions");
        return Err(refusal(400, 21215, text));
    }
    Ok(())
}

/// Which countries may be called. Every country is said to have one calling code here, and its name is that.
pub(super) fn countries(carrier: &Carrier, asked: &Asked) -> Answered {
    let query = Form(&asked.query);
    let code = query.get("CountryCode").unwrap_or("1");
    let open = !carrier.office.standing().closes(code);
    let country = json!({
        "iso_code": "XX",
        "name": code,
        "continent": "",
        "country_codes": [code],
        "low_risk_numbers_enabled": open,
        "high_risk_special_numbers_enabled": false,
        "high_risk_tollfraud_numbers_enabled": false,
        "links": {},
    });
    let meta = json!({"page": 0, "page_size": 50, "next_page_url": null, "key": "content"});
    Ok((200, json!({"content": [country], "meta": meta})))
}

pub(super) fn numbers(carrier: &Carrier, asked: &Asked) -> Answered {
    known(&asked.query, LIST_NUMBERS)?;
    let query = Form(&asked.query);
    let size = query.page_size()?;
    let at: usize = query.get("Page").and_then(|it| it.parse().ok()).unwrap_or(0);
    let numbers: Vec<Value> = carrier
        .office
        .numbers()
        .into_iter()
        .filter(|(number, _)| query.get("PhoneNumber").is_none_or(|wanted| number.contains(wanted)))
        .map(|(phone, number)| show(carrier, &phone, &number))
        .collect();
    let more = numbers.len() > (at + 1) * size;
    let shown = numbers.into_iter().skip(at * size).take(size).collect();
    let mut page = page(carrier, "IncomingPhoneNumbers", "incoming_phone_numbers", shown, size);
    page["page"] = json!(at);
    if more {
        let (account, next) = (&carrier.account.id, at + 1);
        page["next_page_uri"] = json!(format!(
            "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json?PageSize={size}&Page={next}&PageToken=PA{next}"
        ));
    }
    Ok((200, page))
}

pub(super) fn number(carrier: &Carrier, asked: &Asked, rest: &str) -> Answered {
    let not_found = || refusal(404, 20404, "The requested resource was not found");
    let sid = rest.strip_prefix("IncomingPhoneNumbers/").and_then(|it| it.strip_suffix(".json"));
    let sid = sid.ok_or_else(not_found)?;
    let found = || {
        let mut all = carrier.office.numbers().into_iter();
        all.find(|(_, it)| number_sid(&it.id) == sid)
    };
    let (phone, number) = found().ok_or_else(not_found)?;
    match asked.method.as_str() {
        "GET" => Ok((200, show(carrier, &phone, &number))),
        "POST" => {
            known(&asked.form, UPDATE_NUMBER)?;
            once(&asked.form, &[])?;
            let form = Form(&asked.form);
            let (voice, status) = (form.url("VoiceUrl")?, form.url("StatusCallback")?);
            form.method("VoiceMethod")?;
            form.method("StatusCallbackMethod")?;
            let owner = owner(&form, &number.owner);
            carrier.office.change(&phone, |it| {
                it.voice_url = voice.unwrap_or_else(|| it.voice_url.clone());
                it.status_url = status.unwrap_or_else(|| it.status_url.clone());
                it.owner = owner;
            });
            let (phone, number) = found().ok_or_else(not_found)?;
            Ok((200, show(carrier, &phone, &number)))
        }
        _ => Err(refusal(405, 20004, "Method not allowed")),
    }
}

/// Who has the number after this; an application and a trunk take each other's place.
fn owner(form: &Form<'_>, before: &Owner) -> Owner {
    match (form.get("VoiceApplicationSid"), form.get("TrunkSid"), before) {
        (Some(sid), _, _) if !sid.is_empty() => Owner::Application(sid.to_owned()),
        (_, Some(sid), _) if !sid.is_empty() => Owner::Trunk(sid.to_owned()),
        (Some(_), _, Owner::Application(_)) | (_, Some(_), Owner::Trunk(_)) => Owner::Itself,
        (_, _, before) => before.clone(),
    }
}

fn show(carrier: &Carrier, phone: &str, number: &Number) -> Value {
    let (account, sid) = (&carrier.account.id, number_sid(&number.id));
    let (application, trunk) = match &number.owner {
        Owner::Itself => (None, None),
        Owner::Application(id) => (Some(id), None),
        Owner::Trunk(id) => (None, Some(id)),
    };
    json!({
        "sid": sid,
        "account_sid": account,
        "api_version": "2010-04-01",
        "friendly_name": formatted(phone),
        "phone_number": phone,
        "capabilities": {"voice": true, "sms": false, "mms": false, "fax": false},
        "voice_url": number.voice_url,
        "voice_method": "POST",
        "voice_fallback_url": null,
        "voice_fallback_method": "POST",
        "voice_application_sid": application,
        "trunk_sid": trunk,
        "status_callback": number.status_url,
        "status_callback_method": "POST",
        "origin": "twilio",
        "status": "in-use",
        "uri": format!("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}.json"),
    })
}
