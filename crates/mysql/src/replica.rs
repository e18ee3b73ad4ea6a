//! The replica status, whose statement and columns differ between servers.

use std::time::Duration;

use elpis_run::ReplicaState;
use mysql_async::{Params, Row, Value};

use crate::info::Flavour;
use crate::{Error, Session};

/// One channel of a replica.
pub(crate) struct ReplicaStatus {
    /// `host:port` of the primary.
    pub(crate) primary: String,
    /// How far behind, or why it does not replicate.
    pub(crate) state: ReplicaState,
}

/// All channels; empty if the server is no replica.
pub(crate) async fn status(session: &mut Session) -> Result<Vec<ReplicaStatus>, Error> {
    let server = session.server();
    let sql = match server.flavour {
        Flavour::MariaDb => "SHOW ALL SLAVES STATUS",
        Flavour::MySql if server.version >= (8, 0, 22) => "SHOW REPLICA STATUS",
        Flavour::MySql => "SHOW SLAVE STATUS",
    };
    let rows: Vec<Row> = session.rows(sql, Params::Empty).await?;
    Ok(rows.iter().map(read).collect())
}

/// Whether the account lacks the privilege to ask.
pub(crate) fn is_denied(error: &Error) -> bool {
    matches!(error.code(), Some(1227 | 1142 | 1370))
}

fn read(row: &Row) -> ReplicaStatus {
    let text = |names: [&str; 2]| text(row, names).unwrap_or_default();
    let (host, port) = (
        text(["Master_Host", "Source_Host"]),
        text(["Master_Port", "Source_Port"]),
    );
    let io = text(["Slave_IO_Running", "Replica_IO_Running"]);
    let sql = text(["Slave_SQL_Running", "Replica_SQL_Running"]);
    let behind = text(["Seconds_Behind_Master", "Seconds_Behind_Source"]);
    // Only the error's number: its text may quote the statement that failed.
    let with_error = |what: &str, errno: String| match errno.as_str() {
        "" | "0" => what.to_owned(),
        errno => format!("{what} (error {errno})"),
    };
    let state = if sql != "Yes" {
        let errno = text(["Last_SQL_Errno", "Last_SQL_Errno"]);
        Err(with_error("its SQL thread is stopped", errno))
    } else if io != "Yes" {
        let errno = text(["Last_IO_Errno", "Last_IO_Errno"]);
        let what = if io == "No" {
            "its IO thread is stopped"
        } else {
            "it cannot reach its primary"
        };
        Err(with_error(what, errno))
    } else {
        behind
            .parse()
            .map_err(|_| "it does not know how far behind it is".to_owned())
    };
    ReplicaStatus {
        primary: format!("{host}:{port}"),
        state: match state {
            Ok(seconds) => ReplicaState::Behind(Duration::from_secs(seconds)),
            Err(reason) => ReplicaState::NotReplicating { reason },
        },
    }
}

fn text(row: &Row, names: [&str; 2]) -> Option<String> {
    let column = row
        .columns_ref()
        .iter()
        .position(|column| names.iter().any(|name| column.name_str() == *name))?;
    match row.as_ref(column)? {
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        _ => None,
    }
}
