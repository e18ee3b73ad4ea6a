//! The demo, small.

use crate::harness::World;

#[test]
fn the_demo_purges_compacts_verifies_and_reports() {
    let world = World::empty();
    let said = world.run(&["demo", "--keep", "demo", "--rows", "60000", "--days", "20"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("verified by an independent recount"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("report: [DIR]/demo/report.html"),
        "{}",
        said.out
    );
    let report = std::fs::read_to_string(world.path("demo/report.html")).unwrap();
    assert_eq!(report.matches("<svg viewBox=\"0 0 900").count(), 3 + 5);
    assert_eq!(report.matches("✓ agrees").count(), 5);
    assert_eq!(report.matches("✓</span>").count(), 4);
    assert!(!report.contains('✗'));
    assert!(
        said.out.contains("none lost a step, an extreme or a gap"),
        "{}",
        said.out
    );
    assert!(!world.path("demo/before-compaction.db").exists());
    for outside in ["<script", "http://", "https://", "src=", "@import"] {
        assert!(!report.contains(outside), "{outside}");
    }

    // The directory is there to play on.
    let again = world.run(&["--config", "demo/maint.toml", "plan", "--format", "json"]);
    assert_eq!(again.code, 0, "{again:?}");
    let taken = world.run(&["demo", "--keep", "demo"]);
    assert_eq!(taken.code, 2, "{taken:?}");
}
