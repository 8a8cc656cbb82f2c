//! The shape that somebody wants facts in: a JSON schema that takes no long time and no network to check.

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value, json};

/// A schema that was looked at.
#[derive(Debug)]
pub(crate) struct Schema(Validator);

impl Schema {
    /// Reads a schema. What it refers to within itself is put where it is referred to, so that nothing in it goes
    /// round and it costs no more than its size to check.
    ///
    /// # Errors
    /// It is none, refers to something elsewhere, or is too large.
    pub(crate) fn of(schema: &Value) -> Result<Self, String> {
        if !schema.is_object() {
            return Err("`schema` is not an object".to_owned());
        }
        let mut room = MOST;
        let whole = inlined(schema, (schema, DEEPEST), &mut room)?;
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .build(&whole)
            .map_err(|it| format!("`schema` is none: {it}"))?;
        Ok(Self(validator))
    }

    /// Whether facts have this shape.
    ///
    /// # Errors
    /// They do not, and this is where.
    pub(crate) fn check(&self, facts: &Value) -> Result<(), String> {
        self.0.validate(facts).map_err(|it| {
            // What is wrong is told, and not all of what it is.
            let (at, why) = (it.instance_path().to_string(), it.to_string());
            let why: String = why.chars().take(LONGEST_WHY).collect();
            format!("`facts{at}` is not what the schema wants: {why}")
        })
    }
}

/// A schema with all that it refers to in it.
fn inlined(
    schema: &Value,
    (root, deep): (&Value, usize),
    room: &mut usize,
) -> Result<Value, String> {
    let left = room.checked_sub(1).zip(deep.checked_sub(1));
    let (left, deep) = left.ok_or("`schema` is too large, or refers to itself")?;
    *room = left;
    let root = (root, deep);
    match schema {
        Value::Array(list) => list.iter().map(|it| inlined(it, root, room)).collect(),
        Value::Object(named) => object(named, root, room),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(schema.clone()),
    }
}

fn object(
    named: &Map<String, Value>,
    root: (&Value, usize),
    room: &mut usize,
) -> Result<Value, String> {
    let mut whole = Map::new();
    for (name, value) in named {
        match (name.as_str(), value) {
            ("$ref", Value::String(to)) => {
                let found = to.strip_prefix('#').and_then(|it| root.0.pointer(it));
                let found = found
                    .ok_or_else(|| format!("`schema` refers to {to:?}, which is not within it"))?;
                let found = inlined(found, root, room)?;
                let all = whole.entry("allOf").or_insert_with(|| json!([]));
                if let Value::Array(all) = all {
                    all.push(found);
                }
            }
            ("$dynamicRef" | "$recursiveRef" | "$id", Value::String(_)) => {
                return Err(format!("`schema` may not have {name:?}"));
            }
            // What is referred to stands where it is referred to.
            ("$defs" | "definitions", Value::Object(_)) => {}
            ("allOf", Value::Array(_)) => {
                let Value::Array(more) = inlined(value, root, room)? else {
                    continue;
                };
                let all = whole.entry("allOf").or_insert_with(|| json!([]));
                if let Value::Array(all) = all {
                    all.extend(more);
                }
            }
            _ => {
                whole.insert(name.clone(), inlined(value, root, room)?);
            }
        }
    }
    Ok(Value::Object(whole))
}

/// So many values are in a schema at most, with all that it refers to.
const MOST: usize = 4_000;
/// And so many one in the other.
const DEEPEST: usize = 64;
/// In characters.
const LONGEST_WHY: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_have_the_shape_that_is_wanted_also_by_reference() {
        let schema = json!({
            "$defs": { "day": { "type": "string", "minLength": 3 } },
            "type": "object", "required": ["days"], "additionalProperties": false,
            "properties": { "days": { "type": "array", "items": { "$ref": "#/$defs/day", "maxLength": 9 } } },
        });
        let schema = Schema::of(&schema).expect("it is one");
        assert_eq!(schema.check(&json!({ "days": ["Friday"] })), Ok(()));
        for wrong in [
            json!({}),
            json!({ "days": ["Fr"] }),
            json!({ "days": ["a long Friday"] }),
            json!({ "days": [], "more": 1 }),
        ] {
            assert!(schema.check(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_goes_elsewhere_or_round_is_no_schema() {
        let doubles = |at: usize| {
            let next = json!({ "$ref": format!("#/$defs/{}", at + 1) });
            (at.to_string(), json!({ "anyOf": [next, next] }))
        };
        let mut defs: Map<String, Value> = (0..30).map(doubles).collect();
        defs.insert("30".to_owned(), json!({ "type": "string" }));
        for schema in [
            json!(true),
            json!({ "type": "nothing" }),
            json!({ "$ref": "https://example.com/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "$ref": "#/$defs/none" }),
            json!({ "$id": "https://example.com/", "type": "object" }),
            json!({ "properties": { "more": { "$ref": "#" } } }),
            json!({ "$ref": "#/$defs/0", "$defs": defs }),
            json!({ "pattern": "(" }),
        ] {
            assert!(Schema::of(&schema).is_err(), "{schema}");
        }
    }

    #[test]
    fn a_pattern_takes_no_longer_than_what_it_is_held_against() {
        let schema = Schema::of(&json!({ "pattern": "^(a+)+$" })).expect("it is one");
        assert!(schema.check(&json!("a".repeat(50_000) + "b")).is_err());
    }
}
