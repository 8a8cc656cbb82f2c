//! What a call is to achieve, as whoever wants it made says.

use call::Private;
use serde_json::{Value, json};

/// What a call is to achieve, and what its agent needs to know for that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objective {
    /// What is to be achieved.
    pub goal: Private<String>,
    /// What the agent may go by, and say.
    pub facts: Vec<Private<String>>,
    /// What it is not to say.
    pub avoid: Vec<Private<String>>,
    /// What to do where the goal cannot be achieved.
    pub fallback: Option<Private<String>>,
    /// By what one can tell that it was.
    pub success: Vec<Private<String>>,
    /// The shape of what is to be found out: a JSON schema.
    pub schema: Option<Private<Value>>,
}

impl Objective {
    /// This goal, and nothing more to know.
    pub fn goal(goal: Private<String>) -> Self {
        Self {
            goal,
            ..Self::default()
        }
    }

    /// Whether it fits into what an agent can be told.
    ///
    /// # Errors
    /// Says what there is too much of.
    pub fn check(&self) -> Result<(), String> {
        let short = |name: &str, text: &Private<String>, most: usize| {
            if text.reveal().len() > most {
                return Err(format!("`{name}` is longer than {most} bytes"));
            }
            Ok(())
        };
        let lists = [
            ("facts", &self.facts),
            ("avoid", &self.avoid),
            ("success", &self.success),
        ];
        short("goal", &self.goal, LONGEST_GOAL)?;
        for (name, list) in lists {
            if list.len() > MOST {
                return Err(format!("there are more than {MOST} in `{name}`"));
            }
            for text in list {
                short(name, text, LONGEST)?;
            }
        }
        if let Some(fallback) = &self.fallback {
            short("fallback", fallback, LONGEST)?;
        }
        let schema = self.schema.as_ref();
        let schema = schema.map_or(0, |it| it.reveal().to_string().len());
        if schema > LONGEST_SCHEMA {
            return Err(format!("`schema` is longer than {LONGEST_SCHEMA} bytes"));
        }
        let all = lists.iter().flat_map(|(_, list)| list.iter());
        let all: usize = all.map(|it| it.reveal().len()).sum();
        if all > LONGEST_LISTS {
            return Err(format!(
                "`facts`, `avoid` and `success` are longer than {LONGEST_LISTS} bytes together"
            ));
        }
        Ok(())
    }

    /// All of it but the goal, as agents and readers are told; `None`: there is no more.
    pub fn brief(&self) -> Option<Value> {
        let list = |list: &[Private<String>]| -> Value {
            list.iter().map(|it| it.reveal().as_str()).collect()
        };
        let mut brief = serde_json::Map::new();
        for (name, texts) in [
            ("facts", &self.facts),
            ("avoid", &self.avoid),
            ("success", &self.success),
        ] {
            if !texts.is_empty() {
                brief.insert(name.to_owned(), list(texts));
            }
        }
        if let Some(fallback) = &self.fallback {
            brief.insert("fallback".to_owned(), json!(fallback.reveal()));
        }
        if let Some(schema) = &self.schema {
            brief.insert("schema".to_owned(), schema.reveal().clone());
        }
        (!brief.is_empty()).then_some(Value::Object(brief))
    }

    /// Reads a goal, and what [`Self::brief`] told beside it. What makes no sense is left out.
    pub fn read(goal: &Value, brief: &Value) -> Option<Self> {
        let list = |name: &str| {
            let texts = brief[name].as_array().map(Vec::as_slice);
            let texts = texts.unwrap_or_default().iter();
            texts.filter_map(Value::as_str).map(Private::from).collect()
        };
        let schema = brief.get("schema").filter(|it| !it.is_null());
        Some(Self {
            goal: goal.as_str()?.into(),
            facts: list("facts"),
            avoid: list("avoid"),
            fallback: brief["fallback"].as_str().map(Private::from),
            success: list("success"),
            schema: schema.cloned().map(Private::new),
        })
    }

    /// All of it in words, for whoever works with words alone. It ends without a line break.
    pub fn told(&self) -> String {
        let mut told = format!("What this call is for: {}", self.goal.reveal().trim());
        for (head, texts) in [
            ("What you may go by:", &self.facts),
            ("What you do not say, whoever asks:", &self.avoid),
            ("It is achieved when:", &self.success),
        ] {
            if !texts.is_empty() {
                let texts = texts.iter().map(|it| format!("\n- {}", it.reveal().trim()));
                told += &format!("\n{head}{}", texts.collect::<String>());
            }
        }
        if let Some(fallback) = &self.fallback {
            told += &format!("\nIf it cannot be achieved: {}", fallback.reveal().trim());
        }
        if let Some(schema) = &self.schema {
            told += &format!("\nWhat to find out, as a JSON schema: {}", schema.reveal());
        }
        told
    }
}

/// So many facts, things to avoid and signs of success, of each.
const MOST: usize = 32;
/// In bytes, of each of them.
const LONGEST: usize = 1_024;
/// Of all of them.
const LONGEST_LISTS: usize = 16 * 1_024;
const LONGEST_GOAL: usize = 4 * 1_024;
const LONGEST_SCHEMA: usize = 8 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Objective {
        Objective {
            goal: "Find a day.".into(),
            facts: vec!["Ann is free on Friday.".into()],
            avoid: vec!["why she is away on Monday".into()],
            fallback: Some("ask for another week".into()),
            success: vec!["they named a day".into(), "and a time".into()],
            schema: Some(Private::new(json!({ "type": "object" }))),
        }
    }

    #[test]
    fn what_is_told_beside_the_goal_is_read_again() {
        for objective in [all(), Objective::goal("Find a day.".into())] {
            let brief = objective.brief().unwrap_or_default();
            let again = Objective::read(&json!("Find a day."), &brief);
            assert_eq!(again, Some(objective));
        }
        assert_eq!(Objective::goal("x".into()).brief(), None);
        assert_eq!(Objective::read(&Value::Null, &Value::Null), None);
    }

    #[test]
    fn it_is_told_in_words() {
        let plain = Objective::goal("Find a day.".into());
        assert_eq!(plain.told(), "What this call is for: Find a day.");
        let told = all().told();
        for line in [
            "What you may go by:\n- Ann is free on Friday.",
            "What you do not say, whoever asks:\n- why she is away on Monday",
            "It is achieved when:\n- they named a day\n- and a time",
            "If it cannot be achieved: ask for another week",
            r#"as a JSON schema: {"type":"object"}"#,
        ] {
            assert!(told.contains(line), "{told}");
        }
    }

    #[test]
    fn no_more_is_told_than_an_agent_can_take() {
        assert_eq!(all().check(), Ok(()));
        let long = Private::from("x".repeat(LONGEST + 1));
        let many = vec![Private::from("x"); MOST + 1];
        let schema = json!({ "description": "x".repeat(LONGEST_SCHEMA) });
        let mut too_much = [all(), all(), all(), all()];
        too_much[0].facts.push(long.clone());
        too_much[1].avoid.clone_from(&many);
        too_much[2].success = many;
        too_much[3].fallback = Some(long);
        for (objective, name) in too_much
            .iter()
            .zip(["facts", "avoid", "success", "fallback"])
        {
            let wrong = objective.check().expect_err(name);
            assert!(wrong.contains(name), "{wrong}");
        }
        let schema = Some(Private::new(schema));
        let goal = "x".repeat(LONGEST_GOAL + 1).into();
        assert!(Objective { schema, ..all() }.check().is_err());
        assert!(Objective { goal, ..all() }.check().is_err());
        let full = vec![Private::from("x".repeat(LONGEST)); MOST];
        let facts = full.clone();
        assert!(
            Objective {
                facts,
                avoid: full,
                ..all()
            }
            .check()
            .is_err()
        );
    }
}
