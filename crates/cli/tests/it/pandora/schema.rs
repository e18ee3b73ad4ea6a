//! The shipped JSON schemas, held against what the program says.
//!
//! A validator of the few keywords that our schemas use; it refuses a schema that uses another, so
//! that nothing in one of them goes unchecked.

use serde_json::Value;

/// What annotates, and asserts nothing.
const WORDS: [&str; 4] = ["$schema", "$id", "title", "description"];

/// The schema of `docs/schema` called `name`.
pub(super) fn schema(name: &str) -> Value {
    let path = format!(
        "{}/../../docs/schema/{name}.schema.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_slice(&elpis_run::fsx::read(path.as_ref()).unwrap()).unwrap()
}

/// Where and why `value` does not follow `schema`.
pub(super) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "$", &mut found);
    found
}

fn check(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (keyword, wanted) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "type" => one_or_many(wanted).any(|kind| kind == kind_of(value)),
            "enum" => wanted.as_array().unwrap().contains(value),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap()),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
            "required" => value.as_object().is_none_or(|fields| {
                one_or_many(wanted).all(|name| fields.contains_key(name.as_str().unwrap()))
            }),
            "properties" => {
                for (name, schema) in wanted.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(schema, value, &format!("{at}.{name}"), found);
                    }
                }
                true
            }
            "items" => {
                for (i, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(wanted, value, &format!("{at}[{i}]"), found);
                }
                true
            }
            word => {
                assert!(WORDS.contains(&word), "{word} is not checked by this test");
                true
            }
        };
        if !holds {
            found.push(format!("{at}: {keyword} {wanted}, not {value}"));
        }
    }
}

fn one_or_many(wanted: &Value) -> impl Iterator<Item = &Value> {
    let many = wanted.as_array().map(Vec::as_slice);
    many.unwrap_or(std::slice::from_ref(wanted)).iter()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn what_does_not_follow_a_schema_is_found() {
    let schema = schema("doctor");
    let report = |check: Value| serde_json::json!({ "checks": [check] });
    let check = serde_json::json!(
        { "check": "disk", "state": "ok", "what": "room enough", "remedy": null, "more": 1 }
    );
    assert_eq!(violations(&schema, &report(check.clone())), [""; 0]);
    let with = |field: &str, value: Value| {
        let mut check = check.clone();
        check[field] = value;
        report(check)
    };
    let mut lacking = check.clone();
    lacking.as_object_mut().unwrap().remove("remedy");
    let wrong = [
        serde_json::json!([]),
        serde_json::json!({}),
        serde_json::json!({ "checks": [] }),
        report(lacking),
        with("state", "bad".into()),
        with("what", "".into()),
        with("remedy", 3.into()),
        with("check", Value::Null),
    ];
    for wrong in wrong {
        assert!(!violations(&schema, &wrong).is_empty(), "{wrong}");
    }
}
