//! What `docs/failover.md` says is what the program does.

use std::collections::BTreeSet;

use super::*;

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/failover.md");
    std::fs::read_to_string(path).unwrap()
}

/// The example of the configuration.
fn example() -> String {
    let document = document();
    let (_, rest) = document.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

fn write_config(dir: &Path, text: &str) {
    std::fs::write(dir.join("failover.toml"), text).unwrap();
}

#[test]
fn the_documented_configuration_is_accepted_as_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let local = example().replace("\"/var/lib/elpis\"", "\"state\"");
    write_config(dir.path(), &local);
    // There is no journal yet; a configuration that cannot be used would be 2.
    let said = run(dir.path(), &["status"]);
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
}

/// Every key that the program knows stands in the example; the program tells them itself when it
/// is given one that it does not know.
#[test]
fn every_key_is_documented() {
    let dir = tempfile::tempdir().unwrap();
    let example = example();
    let documented: BTreeSet<String> = example
        .lines()
        .map(|line| line.trim_start_matches("# "))
        .flat_map(|line| {
            let key = line.split(" = ").next().unwrap_or_default().trim();
            let table = line
                .trim_start_matches('[')
                .split(']')
                .next()
                .unwrap_or_default();
            let of_table = table.split('.').map(str::to_owned);
            of_table.chain([key.to_owned()]).collect::<Vec<_>>()
        })
        .collect();
    let target = "[policy.target]\nversion = '1'\npackage = 'p'\n";
    let mut known = 0;
    for (table, before) in [
        ("", String::new()),
        ("[state]", String::new()),
        ("[pair]", String::new()),
        ("[pair.a]", String::new()),
        ("[manager]", String::new()),
        ("[policy]", String::new()),
        ("[policy.target]", String::new()),
        ("[policy.window]", target.to_owned()),
        ("[policy.helpers]", target.to_owned()),
        ("[policy.safety_copy]", target.to_owned()),
        ("[[policy.hook]]", target.to_owned()),
        ("[policy.limits]", target.to_owned()),
        ("[policy.estimates]", target.to_owned()),
    ] {
        write_config(dir.path(), &format!("{before}{table}\nno_such_key = 1\n"));
        let said = run(dir.path(), &["status"]);
        assert_eq!(said.code, 2, "{table}: {}", said.err);
        let (_, expected) = said
            .err
            .split_once("unknown field `no_such_key`, expected")
            .unwrap_or_else(|| panic!("{table}: {}", said.err));
        let line = expected.lines().next().unwrap();
        for key in line.split('`').skip(1).step_by(2) {
            assert!(documented.contains(key), "{table}: {key} is not documented");
            known += 1;
        }
    }
    assert!(known > 60, "{known}");
}

/// Events of a rehearsal have the fields of the table, and no others.
#[test]
fn events_have_the_documented_fields() {
    let document = document();
    let rows: Vec<(String, BTreeSet<String>)> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, fields)| {
            // What stands in brackets explains a field.
            let mut depth = 0;
            let plain: String = fields
                .chars()
                .filter(|c| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    depth == 0
                })
                .collect();
            let words = plain.split('`').skip(1).step_by(2).map(str::to_owned);
            (name.to_owned(), words.collect())
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), "");
    let mut seen = BTreeSet::new();
    for args in [
        vec!["demo", "--format", "json"],
        vec!["rehearse", "--format", "json", "--fault", "install-fails:b"],
        vec![
            "rehearse",
            "--format",
            "json",
            "--fault",
            "71-connection-lost-switched",
        ],
        vec![
            "rehearse",
            "--format",
            "json",
            "--fault",
            "52-the-active-unit-dies",
        ],
    ] {
        let said = run(dir.path(), &args);
        for line in said.out.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let name = event["event"].as_str().unwrap().to_owned();
            let (_, documented) = rows
                .iter()
                .find(|(known, _)| *known == name)
                .unwrap_or_else(|| panic!("{name} is not documented"));
            let fields = event.as_object().unwrap().keys();
            for field in fields.filter(|field| *field != "event") {
                assert!(
                    documented.contains(field),
                    "{name}: {field} is not documented"
                );
            }
            let optional = |field: &&String| matches!(field.as_str(), "active" | "why");
            for field in documented.iter().filter(|field| !optional(field)) {
                assert!(event.get(field).is_some(), "{name} has no {field}: {line}");
            }
            seen.insert(name);
        }
    }
    assert!(seen.len() >= 11, "{seen:?}");
}

#[test]
fn every_exit_code_is_documented() {
    let document = document();
    let (_, section) = document.split_once("## Exit codes").unwrap();
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 8, 130] {
        assert!(section.contains(&format!("- **{code}**: ")), "{code}");
    }
}
