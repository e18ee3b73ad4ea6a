//! Where Pandora FMS keeps the data of an agent.

use elpis_backup::restore::{Belongings, Owners, Parts, RowsTable};

/// The tables with the values of an agent's modules. An agent is called by its number, its alias
/// or its internal name (`tagente.nombre`). Inventory hangs on other numbers than those of modules,
/// and states are made anew by the server: neither is part of it.
pub fn agent_data() -> Belongings {
    let rows = |table: &str| RowsTable {
        table: table.to_owned(),
        part: "id_agente_modulo".to_owned(),
        time: Some("utimestamp".to_owned()),
    };
    Belongings {
        owners: Owners {
            word: "agent".to_owned(),
            table: "tagente".to_owned(),
            key: "id_agente".to_owned(),
            names: vec!["alias".to_owned(), "nombre".to_owned()],
        },
        parts: Parts {
            word: "modules".to_owned(),
            table: "tagente_modulo".to_owned(),
            key: "id_agente_modulo".to_owned(),
            owner: "id_agente".to_owned(),
        },
        rows: vec![
            rows("tagente_datos"),
            rows("tagente_datos_string"),
            rows("tagente_datos_inc"),
            rows("tagente_datos_log4x"),
        ],
    }
}
