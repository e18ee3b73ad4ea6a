//! What the documents say of the configuration of `elpis-backup` is what the program takes.

use std::collections::BTreeSet;

use crate::backup::Site;

/// The documents that speak of it.
fn documents() -> String {
    let of = |name: &str| {
        let path = format!("{}/../../docs/{name}.md", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    ["backup", "backup-stores", "restore"].map(of).concat()
}

/// Their examples: fenced, or indented from `[target]` on.
fn examples() -> Vec<String> {
    let documents = documents();
    let fenced = documents.split("```toml\n").skip(1);
    let fenced = fenced.map(|rest| rest.split_once("```").unwrap().0.to_owned());
    let indented = documents.split("\n\n    [target]").skip(1).map(|rest| {
        let lines = format!("    [target]{rest}");
        let lines = lines
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with("    "));
        let lines = lines.map(|line| line.strip_prefix("    ").unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    });
    fenced.chain(indented).collect()
}

#[test]
fn every_example_is_accepted_as_it_stands() {
    let examples = examples();
    let mut seen = BTreeSet::new();
    for example in &examples {
        let site = Site::new();
        let tables = example.lines().filter(|line| line.starts_with('['));
        seen.extend(tables.map(str::to_owned));
        let text = match example.contains("[state]") {
            true => example.replace("\"/var/lib/elpis\"", "\"state\""),
            false => format!("{example}\n[state]\ndirectory = 'state'\n"),
        };
        // Of the keys' files none is there; what opens nothing is looked at only where it is used.
        let text = text.replace("identity = ", "# identity = ");
        site.write("backup.toml", &text);
        let said = site.run(&["list", "--target", "archives"]);
        assert_eq!(said.code, 0, "{example}\n{said:?}");
    }
    for table in [
        "[target]",
        "[keep]",
        "[pandora]",
        "[store]",
        "[encryption]",
        "[restore]",
    ] {
        assert!(seen.contains(table), "{table} in {seen:?}");
    }
}

/// The program tells the keys of a table when it is given one that it does not know.
#[test]
fn every_key_is_documented() {
    let documents = documents();
    let (mut count, mut missing) = (0, Vec::new());
    for table in [
        "target",
        "state",
        "keep",
        "pandora",
        "pandora.dump",
        "store",
        "encryption",
        "restore",
    ] {
        let site = Site::new();
        let needed = match table {
            "pandora" => "installation = '/c'\n",
            "pandora.dump" => "[pandora]\ninstallation = '/c'\n",
            _ => "",
        };
        let text = match table {
            "pandora.dump" => format!("{needed}[{table}]\nnonsense = 1\n"),
            _ => format!("[{table}]\nnonsense = 1\n{needed}"),
        };
        site.write("backup.toml", &text);
        let said = site.run(&["list", "--target", "archives"]);
        assert_eq!(said.code, 2, "{said:?}");
        let (_, keys) = said.err.split_once("expected ").unwrap();
        for key in keys.split('`').skip(1).step_by(2) {
            count += 1;
            let is_there = [
                format!("`{key}`"),
                format!("\n{key} ="),
                format!("    {key} ="),
                format!("# {key} ="),
                format!("\n    [{table}.{key}]"),
                format!("[[{key}]]"),
            ];
            if !is_there.iter().any(|form| documents.contains(form)) {
                missing.push(format!("{key} of [{table}]"));
            }
        }
    }
    assert!(count > 40, "{count}");
    assert!(missing.is_empty(), "not documented: {missing:?}");
}
