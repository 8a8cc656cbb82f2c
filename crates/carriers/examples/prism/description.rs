//! A carrier's own description of its API.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::asked::{Asked, FORM, Said};

/// An OpenAPI description.
pub(crate) struct Description {
    all: Value,
    /// What all addresses begin with: the path of its server.
    pub(crate) base: String,
}

/// What it says of one kind of request.
pub(crate) struct Operation<'d> {
    pub(crate) template: &'d str,
    /// What can be done at that path.
    pub(crate) methods: BTreeSet<String>,
    /// Those in the path and in the query.
    pub(crate) parameters: Vec<&'d Value>,
    /// What the body is, if there is one.
    pub(crate) body: Option<&'d Value>,
    pub(crate) body_is_required: bool,
}

impl Description {
    pub(crate) fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|fault| format!("cannot read {path}: {fault}"))?;
        let all: Value = serde_json::from_str(&text)
            .map_err(|fault| format!("{path} is not a description: {fault}"))?;
        let server = all["servers"][0]["url"].as_str().unwrap_or_default();
        let path = url::Url::parse(server).map(|it| it.path().to_owned());
        let base = path.unwrap_or_default().trim_end_matches('/').to_owned();
        Ok(Self { all, base })
    }

    /// What is said of a request, if anything is.
    pub(crate) fn operation(&self, asked: &Asked) -> Option<Operation<'_>> {
        let paths = self.all["paths"].as_object()?;
        let found = paths.iter().filter(|(it, _)| fits(it, &asked.path));
        // A name that is written out means itself.
        let (template, item) = found.min_by_key(|(it, _)| it.matches('{').count())?;
        let operation = item.get(asked.method.as_str().to_lowercase())?;
        let own = operation["parameters"].as_array().into_iter().flatten();
        let shared = item["parameters"].as_array().into_iter().flatten();
        let kind = asked.content_type.as_deref().unwrap_or(FORM);
        let body = self.resolve(&operation["requestBody"]);
        let schema = body["content"].get(kind).map(|it| &it["schema"]);
        Some(Operation {
            template,
            methods: item.as_object()?.keys().cloned().collect(),
            parameters: own.chain(shared).map(|it| self.resolve(it)).collect(),
            body: schema.map(|it| self.resolve(it)),
            body_is_required: body["required"] == true,
        })
    }

    /// The path of a request, by the names of its parts.
    pub(crate) fn template(&self, asked: &Asked) -> String {
        let operation = self.operation(asked);
        let path = operation.map_or(asked.path.as_str(), |it| it.template);
        format!("{} {}{path}", asked.method, self.base)
    }

    /// Names in a request that the description does not have. The mock passes over those in a query
    /// or a form, though the description says that a form has no others.
    pub(crate) fn strangers(&self, asked: &Asked) -> Vec<String> {
        let Some(operation) = self.operation(asked) else {
            return Vec::new();
        };
        let queried = |name: &str| {
            let mut all = operation.parameters.iter();
            all.any(|it| it["in"] == "query" && self.is_called(it, name))
        };
        let query = asked.query().into_iter().filter(|(name, _)| !queried(name));
        let mut strangers: Vec<_> = query.map(|(name, _)| format!("query {name}")).collect();
        if let Said::Form(form) = asked.said() {
            let known = |name: &str| {
                let properties = operation.body.map(|it| &it["properties"]);
                properties.is_some_and(|it| it.get(name).is_some())
            };
            let form = form.into_iter().filter(|(name, _)| !known(name));
            strangers.extend(form.map(|(name, _)| format!("body {name}")));
        }
        strangers
    }

    /// Whether a parameter may be written under this name: `page[size]` is the `size` of an object `page`, where the
    /// description says that its parts are written like that, and so on within it.
    fn is_called(&self, parameter: &Value, name: &str) -> bool {
        if parameter["style"] != "deepObject" {
            return parameter["name"] == name;
        }
        let mut parts = name.split('[').map(|it| it.trim_end_matches(']'));
        let whole = parts.next().unwrap_or_default();
        let mut schema = Some(self.resolve(&parameter["schema"]));
        for part in parts {
            let inner = schema.and_then(|it| it["properties"].get(part));
            schema = inner.map(|it| self.resolve(it));
        }
        parameter["name"] == whole && schema.is_some()
    }

    /// What a reference refers to.
    pub(crate) fn resolve<'d>(&'d self, schema: &'d Value) -> &'d Value {
        let mut schema = schema;
        while let Some(reference) = schema["$ref"].as_str() {
            let place = reference.trim_start_matches('#');
            let Some(found) = self.all.pointer(place) else {
                break;
            };
            schema = found;
        }
        schema
    }

    /// Every type that a value may have.
    pub(crate) fn types<'d>(&'d self, schema: &'d Value) -> BTreeSet<&'d str> {
        let schema = self.resolve(schema);
        let own = schema["type"].as_str();
        let parts = ["oneOf", "anyOf", "allOf"];
        let parts = parts
            .iter()
            .filter_map(|it| schema[*it].as_array())
            .flatten();
        let theirs = parts.flat_map(|it| self.types(it));
        own.into_iter().chain(theirs).collect()
    }
}

/// Whether a path is one of those that a template means.
pub(crate) fn fits(template: &str, path: &str) -> bool {
    let (mut names, mut parts) = (template.split('/'), path.split('/'));
    let both = names.by_ref().zip(parts.by_ref());
    let mut fit = true;
    for (name, part) in both {
        fit &= match name.split_once('{').zip(name.split_once('}')) {
            None => name == part,
            Some(((before, _), (_, after))) => {
                let inner = part.strip_prefix(before);
                inner
                    .and_then(|it| it.strip_suffix(after))
                    .is_some_and(|it| !it.is_empty())
            }
        };
    }
    fit && template.split('/').count() == path.split('/').count()
}
