//! `verify` through the binary.

use elpis_testkit::Database;
use serde_json::Value;

use crate::compact::{fill, rule, sqlite};

#[test]
fn a_table_is_held_against_what_its_side_table_remembers() {
    let (world, file) = sqlite(&rule("rollup = true"));
    fill(&file);
    let said = world.run(&["verify"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.starts_with("nothing to verify yet"),
        "{}",
        said.out
    );
    let said = world.run(&["run", "--no-throttle", "--format", "json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let last: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["verified"]["within_promise"], true);
    let said = world.run(&["verify"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.starts_with("verified: "), "{}", said.out);
    // The peak of every bucket of every series is lowered.
    file.sql(
        "UPDATE tagente_datos SET datos = datos - 0.5 WHERE EXISTS (SELECT 1 FROM \
         elpis_rollup_tagente_datos r WHERE r.series = id_agente_modulo AND r.bucket = \
         utimestamp - utimestamp % 21600 AND r.bucket_length = 21600 AND r.value_max = datos);",
    );
    let said = world.run(&["verify", "--format", "json"]);
    assert_eq!(said.code, 7, "{}", said.err);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(found["within_promise"], false);
    assert!(
        found["failures"][0]["what"]
            .as_str()
            .unwrap()
            .contains("largest"),
        "{found}"
    );
    assert!(
        said.err
            .contains("VERIFICATION FAILED: tagente_datos, series"),
        "{}",
        said.err
    );
}

#[test]
fn without_rollups_there_is_nothing_to_verify_against() {
    let (world, file) = sqlite(&rule(""));
    fill(&file);
    let said = world.run(&["verify"]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("nothing to verify against"),
        "{}",
        said.err
    );
}
