//! Tables like those of a monitoring database, with its names and indexes.

use crate::table::{Kind, Table};

/// Numeric series: no key, an index by module and time, one by time.
pub fn tagente_datos() -> Table {
    Table::new("tagente_datos")
        .column("id_agente_modulo", Kind::Int)
        .column("datos", Kind::Real)
        .nullable("utimestamp", Kind::Int)
        .index("data_index1", &["id_agente_modulo", "utimestamp"])
        .index("idx_utimestamp", &["utimestamp"])
}

/// Text series: as [`tagente_datos`] with text as values.
pub fn tagente_datos_string() -> Table {
    Table::new("tagente_datos_string")
        .column("id_agente_modulo", Kind::Int)
        .column("datos", Kind::Text)
        .nullable("utimestamp", Kind::Int)
        .index("data_index1", &["id_agente_modulo", "utimestamp"])
        .index("idx_utimestamp", &["utimestamp"])
}

/// Events: a key and an index by time.
pub fn tevento() -> Table {
    Table::new("tevento")
        .column("id_evento", Kind::Int)
        .column("event_type", Kind::Text)
        .column("criticity", Kind::Int)
        .nullable("utimestamp", Kind::Int)
        .primary_key(&["id_evento"])
        .index("idx_utimestamp", &["utimestamp"])
}

/// Details of events, which go with their event.
pub fn tevent_extended() -> Table {
    Table::new("tevent_extended")
        .column("id", Kind::Int)
        .column("id_evento", Kind::Int)
        .column("description", Kind::Text)
        .primary_key(&["id"])
        .index("idx_evento", &["id_evento"])
        .references("id_evento", ("tevento", "id_evento"), "CASCADE")
}

/// Comments on events, which go with their event.
pub fn tevent_comment() -> Table {
    Table::new("tevent_comment")
        .column("id", Kind::Int)
        .column("id_event", Kind::Int)
        .nullable("utimestamp", Kind::Int)
        .primary_key(&["id"])
        .index("idx_event", &["id_event"])
        .references("id_event", ("tevento", "id_evento"), "CASCADE")
}

/// Attachments of event details: grandchildren of events.
pub fn tevent_attachment() -> Table {
    Table::new("tevent_attachment")
        .column("id", Kind::Int)
        .column("id_extended", Kind::Int)
        .primary_key(&["id"])
        .index("idx_extended", &["id_extended"])
        .references("id_extended", ("tevent_extended", "id"), "CASCADE")
}

/// The audit log: a key, and no index by time.
pub fn tsesion() -> Table {
    Table::new("tsesion")
        .column("id_sesion", Kind::Int)
        .column("id_usuario", Kind::Text)
        .nullable("utimestamp", Kind::Int)
        .primary_key(&["id_sesion"])
}

/// SNMP traps: a DATETIME with an index.
pub fn ttrap() -> Table {
    Table::new("ttrap")
        .column("id_trap", Kind::Int)
        .nullable("timestamp", Kind::Datetime)
        .primary_key(&["id_trap"])
        .index("timestamp", &["timestamp"])
}

/// One row a day, by DATE.
pub fn daily() -> Table {
    Table::new("daily")
        .column("id", Kind::Int)
        .nullable("day", Kind::Date)
        .primary_key(&["id"])
        .index("day", &["day"])
}

/// Milliseconds since 1970.
pub fn millis() -> Table {
    Table::new("millis")
        .column("id", Kind::Int)
        .nullable("at_ms", Kind::Int)
        .primary_key(&["id"])
        .index("at_ms", &["at_ms"])
}

/// A TIMESTAMP with an index.
pub fn stamped() -> Table {
    Table::new("stamped")
        .column("id", Kind::Int)
        .nullable("at", Kind::Timestamp)
        .primary_key(&["id"])
        .index("at", &["at"])
}

/// A key of two columns, the first of them text, and no index by time.
pub fn composite() -> Table {
    Table::new("composite")
        .column("host", Kind::Text)
        .column("seq", Kind::Int)
        .nullable("utimestamp", Kind::Int)
        .primary_key(&["host", "seq"])
}
