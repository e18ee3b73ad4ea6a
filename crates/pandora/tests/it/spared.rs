//! What a whole run must leave, row by row, and what it must tell the console: the rows are named here.

use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};
use tokio::sync::OnceCell;

use crate::support::Ask;

/// An installation after one whole run, with the modules it had before in `was`.
async fn finished() -> &'static MariaDb {
    static FINISHED: OnceCell<MariaDb> = OnceCell::const_new();
    let finish = || async {
        let db = Installation::small().install();
        db.sql(
            "CREATE TABLE was AS \
             SELECT id_agente_modulo, id_agente, nombre, delete_pending FROM tagente_modulo;",
        );
        // Under repair, each with a module that was unknown, or without data, for long.
        for behind in [38, 53] {
            db.sql(&format!(
                "UPDATE tagente JOIN was USING (id_agente) SET disabled = 1 WHERE was.nombre = '{}';",
                module(behind)
            ));
        }
        db.sql(&format!(
            "UPDATE tagente SET disabled = 1, disabled_by_downtime = 1, \
               ultimo_contacto = '2001-01-01', modo = 1 + id_agente % 2 WHERE id_agente IN ({DOWN});"
        ));
        db.sql(&format!(
            "INSERT INTO tmodule_synth (id_agent_module_source, id_agent_module_target) \
             SELECT 5800000 + seq, id_agente_modulo FROM was JOIN seq_1_to_3 WHERE nombre = '{}';",
            module(160)
        ));
        for behind in SECOND {
            db.sql(&format!(
                "INSERT INTO tagente_estado (id_agente_modulo, id_agente, datos, estado, utimestamp) \
                 SELECT id_agente_modulo, id_agente, '1', 0, UNIX_TIMESTAMP() FROM was \
                 WHERE nombre = '{}';",
                module(behind)
            ));
        }
        Ask::default().run(&db).await;
        db
    };
    FINISHED.get_or_init(finish).await
}

/// Modules without data, without a first value and unknown for long, each with a second row that says
/// that all is well.
const SECOND: [u64; 3] = [37, 45, 50];

/// Agents whose planned downtime has lasted for years.
const DOWN: &str = "5041, 5042";

fn lines(db: &MariaDb, query: &str) -> Vec<String> {
    db.sql(query).lines().map(str::to_owned).collect()
}

/// The name of the module that the generator made so many before the last.
fn module(behind: u64) -> String {
    format!("module {}", Installation::small().modules - behind)
}

/// What reports on services, SQL, inventory and flows call a module is none, whatever its number.
#[tokio::test]
async fn contents_that_show_no_modules_keep_everything() {
    let db = finished().await;
    let left = "SELECT id_rc FROM treport_content WHERE id_rc BETWEEN 301 AND 318 ORDER BY id_rc;";
    let kept: Vec<String> = (301..=314).chain([317]).map(|id| id.to_string()).collect();
    // 315, 316 and 318 are service levels of nothing.
    assert_eq!(lines(db, left), kept);
    for content in [301, 314] {
        let rows = format!(
            "SELECT COUNT(*) FROM treport_content_sla_combined WHERE id_report_content = {content};"
        );
        assert_eq!(db.number(&rows), 3, "of content {content}");
    }
    let items = "SELECT COUNT(*) FROM treport_content_item \
                 WHERE id_report_content BETWEEN 301 AND 313;";
    assert_eq!(db.number(items), 26);
    // One of these numbers was that of a module that is gone now.
    let gone = "SELECT COUNT(*) FROM treport_content_sla_combined WHERE id_report_content = 314 \
                AND id_agent_module IN (SELECT id_agente_modulo FROM was) \
                AND id_agent_module NOT IN (SELECT id_agente_modulo FROM tagente_modulo);";
    assert_eq!(db.number(gone), 1);
    // 0 is no module that is gone.
    for table in ["treport_content_item", "treport_content_sla_combined"] {
        let none = format!("SELECT COUNT(*) FROM {table} WHERE id_agent_module = 0;");
        assert_eq!(db.number(&none), 1, "{table}");
    }
}

/// Without data, never a value, and unknown for long: a policy's modules stay, their neighbours go.
#[tokio::test]
async fn modules_of_policies_stay() {
    let db = finished().await;
    let there = |behind: u64| {
        let name = module(behind);
        db.number(&format!(
            "SELECT COUNT(*) FROM tagente_modulo WHERE nombre = '{name}';"
        ))
    };
    for (policy, neighbour) in [(36, 35), (46, 44), (51, 52)] {
        assert_eq!((there(policy), there(neighbour)), (1, 0), "{policy}");
    }
    assert_eq!(there(41), 1);
    // To be deleted is to be deleted.
    assert_eq!(there(5), 0);
}

/// Nothing is asked of them, so that their state says nothing.
#[tokio::test]
async fn modules_of_disabled_agents_stay() {
    let db = finished().await;
    for (stays, goes) in [(38, 39), (53, 54)] {
        let there = [stays, goes].map(|behind| {
            let name = module(behind);
            db.number(&format!(
                "SELECT COUNT(*) FROM tagente_modulo WHERE nombre = '{name}';"
            ))
        });
        assert_eq!(there, [1, 0], "{stays}");
    }
}

/// One of two rows may be what was left of a race; the other one is the state.
#[tokio::test]
async fn modules_of_which_another_row_tells_another_state_stay() {
    let db = finished().await;
    for behind in SECOND {
        let name = module(behind);
        let there = format!("SELECT COUNT(*) FROM tagente_modulo WHERE nombre = '{name}';");
        assert_eq!(db.number(&there), 1, "{behind}");
    }
}

/// Their downtime enables them again.
#[tokio::test]
async fn agents_that_a_downtime_disabled_stay() {
    let db = finished().await;
    let there = format!("SELECT COUNT(*) FROM tagente WHERE id_agente IN ({DOWN});");
    assert_eq!(db.number(&there), 2);
}

/// A module that reckons with values of others reckons on without those that are gone, as before.
#[tokio::test]
async fn operands_of_synthetic_modules_stay() {
    let db = finished().await;
    let all = "SELECT COUNT(*) FROM tmodule_synth WHERE id_agent_module_source >= 5800000;";
    assert_eq!(db.number(all), 3);
}

/// Agents that lost a module to these tasks are counted anew by their server, and no others are.
#[tokio::test]
async fn agents_that_lost_modules_are_counted_anew() {
    let db = finished().await;
    let told = "SELECT id_agente FROM tagente \
                WHERE update_module_count = 1 AND update_alert_count = 1 ORDER BY id_agente;";
    let lost = "SELECT DISTINCT id_agente FROM was JOIN tagente USING (id_agente) \
                WHERE delete_pending = 0 AND id_agente_modulo NOT IN \
                  (SELECT id_agente_modulo FROM tagente_modulo) ORDER BY id_agente;";
    let (told, lost) = (lines(db, told), lines(db, lost));
    assert!(lost.len() > 5, "{lost:?}");
    assert_eq!(told, lost);
}

/// A parent that is gone is no parent any more, whichever task took it; one that stays is.
#[tokio::test]
async fn who_named_a_module_that_is_gone_names_none() {
    let db = finished().await;
    let parent = |behind: u64| {
        let name = module(behind);
        db.number(&format!(
            "SELECT parent_module_id FROM tagente_modulo WHERE nombre = '{name}';"
        ))
    };
    // Of a module that was to be deleted, of one that was unknown, and of one that never was.
    assert_eq!([150, 151, 152].map(parent), [0; 3]);
    assert!(parent(153) > 0);
    let agents = "SELECT CONCAT(cascade_protection_module > 0, safe_mode_module > 0) FROM tagente \
                  WHERE cascade_protection = 1 ORDER BY id_agente DESC;";
    assert_eq!(lines(db, agents), ["00", "11", "00"]);
}
