//! Twilio's own description of its API.

use serde_json::{Map, Value, json};

use super::recorder::Recorded;
use super::{ACCOUNT, oracle};

/// Twilio's description of its API, cut to what concerns calls, its bodies closed: a parameter
/// that it does not name is an error.
pub(super) struct Api(Value);

impl Api {
    pub(super) fn read() -> Self {
        Self(oracle("twilio/twilio-voice.openapi.json"))
    }

    /// Says what Twilio would not understand in a request.
    pub(super) fn check(&self, request: &Recorded) -> Result<(), String> {
        let (template, operation) = self.operation(request)?;
        let parameter = |place: &str, name: &str| {
            let mut all = operation["parameters"].as_array().into_iter().flatten();
            let found = all.find(|it| it["in"] == place && it["name"] == name);
            let schema = found.map(|it| &it["schema"]);
            schema.ok_or_else(|| format!("no {place} parameter {name}"))
        };
        for (name, value) in path_values(template, &request.path) {
            self.validate(parameter("path", name)?, &json!(value))?;
        }
        for (name, value) in &request.query {
            let schema = parameter("query", name)?;
            self.validate(schema, &typed(schema, value))?;
        }
        let kind = "application/x-www-form-urlencoded";
        let body = &operation["requestBody"]["content"][kind];
        if body.is_null() {
            let empty = request.form.is_empty();
            return empty
                .then_some(())
                .ok_or_else(|| "it has a body".to_owned());
        }
        if request.header("content-type") != Some(kind) {
            return Err("it is not a form".to_owned());
        }
        let schema = &body["schema"];
        self.validate(schema, &object(schema, &request.form)?)
    }

    fn operation(&self, request: &Recorded) -> Result<(&str, &Value), String> {
        let paths = self.0["paths"].as_object();
        let paths = paths.expect("an OpenAPI description has paths");
        let found = paths.iter().find(|(template, _)| {
            let (template, path) = (template.split('/'), request.path.split('/'));
            // `{Sid}.json` is one thing's name, `Calls.json` is a list's.
            let fits = |(t, p): (&str, &str)| t == p || (t.contains('{') && !p.ends_with("s.json"));
            template.clone().count() == path.clone().count() && template.zip(path).all(fits)
        });
        let (template, item) = found.ok_or_else(|| format!("no such path: {}", request.path))?;
        let operation = &item[request.method.to_lowercase()];
        let there = operation.is_object().then_some((&**template, operation));
        there.ok_or_else(|| format!("no {} on {template}", request.method))
    }

    fn validate(&self, schema: &Value, instance: &Value) -> Result<(), String> {
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft4)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .build(&schema)
            .expect("the description's schemas are schemas");
        validator.validate(instance).map_err(|it| it.to_string())
    }
}

/// A form as the object that its schema describes: repeated names are lists.
fn object(schema: &Value, form: &[(String, String)]) -> Result<Value, String> {
    let mut object = Map::new();
    for (name, value) in form {
        let property = &schema["properties"][name];
        if property["type"] == "array" {
            let list = object.entry(name).or_insert_with(|| json!([]));
            let list = list.as_array_mut().expect("it was made as a list");
            list.push(typed(&property["items"], value));
        } else if object
            .insert(name.clone(), typed(property, value))
            .is_some()
        {
            return Err(format!("{name} is there twice"));
        }
    }
    Ok(Value::Object(object))
}

/// A form's text as the type that its schema asks for, if it can be read as that.
fn typed(schema: &Value, text: &str) -> Value {
    let value = match schema["type"].as_str() {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).ok(),
        Some(_) | None => None,
    };
    value.unwrap_or_else(|| json!(text))
}

fn path_values<'p>(template: &'p str, path: &'p str) -> Vec<(&'p str, &'p str)> {
    let pairs = template.split('/').zip(path.split('/'));
    let pairs = pairs.filter_map(|(template, part)| {
        let (name, rest) = template.strip_prefix('{')?.split_once('}')?;
        Some((name, part.strip_suffix(rest)?))
    });
    pairs.collect()
}

#[test]
fn the_check_itself_refuses_what_twilio_would() {
    let good = Recorded {
        method: "POST".to_owned(),
        path: format!("/2010-04-01/Accounts/{ACCOUNT}/Calls.json"),
        query: Vec::new(),
        headers: [(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        )]
        .into(),
        form: [
            ("To", "+15551230000"),
            ("From", "+15551230001"),
            ("Timeout", "25"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec(),
    };
    let api = Api::read();
    assert_eq!(api.check(&good), Ok(()));
    let spoil = |spoiled: &dyn Fn(&mut Recorded)| {
        let mut request = good.clone();
        spoiled(&mut request);
        let fault = api.check(&request).expect_err("it must be refused");
        assert!(!fault.is_empty());
    };
    spoil(&|it| it.form[0].0 = "to".to_owned());
    spoil(&|it| it.form.truncate(1));
    spoil(&|it| it.form[2].1 = "25.5".to_owned());
    spoil(&|it| it.form.push(("Sid".to_owned(), String::new())));
    spoil(&|it| it.path = it.path.replace("AC", "AD"));
    spoil(&|it| it.path = it.path.replace("Calls", "Call"));
    spoil(&|it| it.form.push(it.form[0].clone()));
    spoil(&|it| it.query.push(("Page".to_owned(), "1".to_owned())));
    spoil(&|it| it.headers.clear());
    spoil(&|it| it.method = "PUT".to_owned());
}

/// The answer that the description gives as an example.
pub(super) fn example(path: &str, method: &str, status: &str) -> Value {
    let api = oracle("twilio/twilio-voice.openapi.json");
    let path = format!("/2010-04-01/Accounts/{{AccountSid}}/{path}");
    let answer = &api["paths"][&path][method]["responses"][status];
    let examples = answer["content"]["application/json"]["examples"].as_object();
    let first = examples
        .and_then(|it| it.values().next())
        .expect("there is an example");
    first["value"].clone()
}
