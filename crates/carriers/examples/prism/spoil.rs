//! Requests of ours, spoiled: what takes one of these has not looked, and its word for the others means
//! nothing.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::asked::{Asked, Said};
use crate::description::{Description, Operation};
use crate::far::{Outcome, Record};
use crate::mock::{By, Mock, Verdict};

/// How the spoiled ones of one request fared.
#[derive(Default)]
pub(crate) struct Spoiled {
    /// Refused by the mock.
    pub(crate) by_mock: usize,
    /// Refused by the names that the description has.
    pub(crate) by_names: usize,
    /// What was wrong with those that were taken.
    pub(crate) taken: Vec<String>,
}

/// Spoils a request that was accepted in every way that its description forbids.
pub(crate) async fn all(mock: &Mock, record: &Record) -> Result<Spoiled, String> {
    let mut spoiled = Spoiled::default();
    let good = match &record.outcome {
        Outcome::Accepted => record.asked.clone(),
        Outcome::AllBut(cleared) => without(&record.asked, cleared),
        Outcome::Absent(_) | Outcome::Refused(_) | Outcome::Misread(_) => return Ok(spoiled),
    };
    for (what, bad) in ways(&mock.description, &good) {
        match mock.ask(&bad).await?.verdict {
            Verdict::Refused(them) if them.iter().all(|it| it.by == By::Names) => {
                spoiled.by_names += 1;
            }
            Verdict::Refused(_) | Verdict::Unheard => spoiled.by_mock += 1,
            Verdict::Accepted => spoiled.taken.push(what),
        }
    }
    Ok(spoiled)
}

fn without(asked: &Asked, names: &[String]) -> Asked {
    let Said::Form(mut form) = asked.said() else {
        return asked.clone();
    };
    form.retain(|(name, _)| !names.contains(name));
    asked.with_form(&form)
}

type Ways = Vec<(String, Asked)>;

fn ways(description: &Description, good: &Asked) -> Ways {
    let Some(operation) = description.operation(good) else {
        return Vec::new();
    };
    let mut ways = envelope(&operation, good);
    ways.extend(path(description, &operation, good));
    ways.extend(query(description, &operation, good));
    match (good.said(), operation.body) {
        (Said::Form(form), Some(schema)) => ways.extend(forms(description, schema, good, &form)),
        (Said::Json(Value::Object(body)), Some(schema)) => {
            ways.extend(objects(description, schema, good, &body));
        }
        (Said::Form(_) | Said::Json(_) | Said::Nothing, _) => {}
    }
    ways
}

/// Nobody's, somebody else's kind of proof, another method, another kind of body, none.
fn envelope(operation: &Operation<'_>, good: &Asked) -> Ways {
    let mut ways = Vec::new();
    let mut bad = good.clone();
    bad.authorization = None;
    ways.push(("no credentials".to_owned(), bad));
    let basic = good.authorization.as_deref().unwrap_or_default();
    let other = if basic.starts_with("Basic ") {
        "Bearer KEY"
    } else {
        "Basic YTpi"
    };
    let mut bad = good.clone();
    bad.authorization = Some(other.to_owned());
    ways.push(("another kind of credentials".to_owned(), bad));
    let methods = [Method::DELETE, Method::PUT, Method::PATCH, Method::POST];
    let missing = |it: &Method| !operation.methods.contains(&it.as_str().to_lowercase());
    if let Some(method) = methods.into_iter().find(missing) {
        let mut bad = good.clone();
        bad.method = method;
        ways.push(("another method".to_owned(), bad));
    }
    if operation.body.is_some() && !good.body.is_empty() {
        let mut bad = good.clone();
        bad.content_type = Some("text/plain".to_owned());
        ways.push(("another kind of body".to_owned(), bad));
    }
    if operation.body_is_required {
        let mut bad = good.clone();
        bad.body.clear();
        ways.push(("no body".to_owned(), bad));
    }
    ways
}

/// Each name in the path that has a form of its own, without it.
fn path(description: &Description, operation: &Operation<'_>, good: &Asked) -> Ways {
    let mut ways = Vec::new();
    for (at, name) in operation.template.split('/').enumerate() {
        let Some((_, rest)) = name.split_once('{') else {
            continue;
        };
        let Some((name, rest)) = rest.split_once('}') else {
            continue;
        };
        let mut all = operation.parameters.iter();
        let found = all.find(|it| it["in"] == "path" && it["name"] == name);
        let schema = found.map(|it| description.resolve(&it["schema"]));
        if schema.is_some_and(|it| it.get("pattern").is_some()) {
            let mut parts: Vec<_> = good.path.split('/').map(str::to_owned).collect();
            parts[at] = format!("{ODD}{rest}");
            let mut bad = good.clone();
            bad.path = parts.join("/");
            ways.push((format!("path {name} is {ODD:?}"), bad));
        }
    }
    ways
}

fn query(description: &Description, operation: &Operation<'_>, good: &Asked) -> Ways {
    let pairs = good.query();
    let mut ways = Vec::new();
    for (at, (name, _)) in pairs.iter().enumerate() {
        let mut all = operation.parameters.iter();
        let found = all.find(|it| it["in"] == "query" && it["name"] == name.as_str());
        let Some(parameter) = found else { continue };
        for wrong in wrong_texts(description, &parameter["schema"]) {
            let mut bad = pairs.clone();
            bad[at].1.clone_from(&wrong);
            ways.push((format!("query {name} is {wrong:?}"), good.with_query(&bad)));
        }
    }
    let mut bad = pairs.clone();
    bad.push((ODD.to_owned(), "1".to_owned()));
    ways.push((format!("a query with {ODD}"), good.with_query(&bad)));
    ways
}

fn forms(
    description: &Description,
    schema: &Value,
    good: &Asked,
    form: &[(String, String)],
) -> Ways {
    let mut ways = Vec::new();
    for name in required(schema) {
        let mut bad = form.to_vec();
        bad.retain(|(it, _)| it != name);
        ways.push((format!("no {name}"), good.with_form(&bad)));
    }
    for (at, (name, _)) in form.iter().enumerate() {
        for wrong in wrong_texts(description, &schema["properties"][name]) {
            let mut bad = form.to_vec();
            bad[at].1.clone_from(&wrong);
            ways.push((format!("{name} is {wrong:?}"), good.with_form(&bad)));
        }
    }
    if schema["additionalProperties"] == false {
        let mut bad = form.to_vec();
        bad.push((ODD.to_owned(), "1".to_owned()));
        ways.push((format!("a field {ODD}"), good.with_form(&bad)));
    }
    ways
}

fn objects(
    description: &Description,
    schema: &Value,
    good: &Asked,
    body: &Map<String, Value>,
) -> Ways {
    let mut ways = Vec::new();
    for name in required(schema) {
        let mut bad = body.clone();
        bad.remove(name);
        ways.push((format!("no {name}"), good.with_json(&json!(bad))));
    }
    for name in body.keys() {
        let property = &schema["properties"][name];
        let texts = wrong_texts(description, property).into_iter();
        // A text is what is wrong with a number only if it is one in quotes, too.
        let wrongs = texts
            .map(Value::String)
            .chain(wrong_type(description, property));
        for wrong in wrongs {
            let what = format!("{name} is {wrong}");
            let mut bad = body.clone();
            bad.insert(name.clone(), wrong);
            ways.push((what, good.with_json(&json!(bad))));
        }
    }
    if schema["additionalProperties"] == false {
        let mut bad = body.clone();
        bad.insert(ODD.to_owned(), json!(1));
        ways.push((format!("a field {ODD}"), good.with_json(&json!(bad))));
    }
    ways
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    let all = schema["required"].as_array().into_iter().flatten();
    all.filter_map(Value::as_str)
}

/// Texts that the schema has no room for.
fn wrong_texts(description: &Description, schema: &Value) -> Vec<String> {
    let schema = description.resolve(schema);
    let mut wrong = Vec::new();
    let is = |kind: &str| schema["type"] == kind;
    if is("integer") || is("number") || is("boolean") || schema.get("enum").is_some() {
        wrong.push(ODD.to_owned());
    } else if schema.get("pattern").is_some() || schema["format"] == "uri" {
        wrong.push(format!("not {ODD}"));
    }
    if is("integer") {
        wrong.push("1.5".to_owned());
    }
    if let Some(least) = schema["minimum"].as_i64() {
        wrong.push((least - 1).to_string());
    }
    if let Some(most) = schema["maximum"].as_i64() {
        wrong.push((most + 1).to_string());
    }
    wrong
}

/// A value of a type that the schema has no room for.
fn wrong_type(description: &Description, schema: &Value) -> Option<Value> {
    let types = description.types(schema);
    let values = [
        ("integer", json!(7)),
        ("array", json!([])),
        ("object", json!({})),
    ];
    let none = types.is_empty();
    let fits = |kind: &str| types.contains(kind) || (kind == "integer" && types.contains("number"));
    let mut wrong = values.into_iter().filter(|(kind, _)| !none && !fits(kind));
    wrong.next().map(|(_, value)| value)
}

/// It is nobody's name, no number, no address, and no word of any list.
const ODD: &str = "offhook";
