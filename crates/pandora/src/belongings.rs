//! Which tables of Pandora FMS hold the data of an agent, and which of them may come later.

use elpis_backup::restore::{Belongings, LaterTable, Owners, Parts, RowsTable};

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

/// The time series, without which console and server work, in the order in which they are missed.
/// What is called `tagente_datos_log4x` has a key that the server counts on, and stays with the
/// configuration.
pub fn time_series() -> Vec<LaterTable> {
    let tables = [
        "tagente_datos",
        "tagente_datos_string",
        "tagente_datos_inc",
        "tagente_datos_inventory",
    ];
    let later = |table: &str| LaterTable {
        table: table.to_owned(),
        time: Some("utimestamp".to_owned()),
    };
    tables.map(later).into()
}
