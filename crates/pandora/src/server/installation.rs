//! What is known of an installation before a plan is made.

use elpis_mysql::{Error, Params, Session};

use super::{lossy, one};
use crate::tokens::Tokens;

/// What Elpis asks of the product's database, in a handful of short reads.
#[derive(Debug, Clone, Default)]
pub struct Installation {
    /// The settings in `tconfig`.
    pub tokens: Tokens,
    /// The name of the running server with the highest `master` in `tserver`.
    pub master: Option<String>,
    /// The number of the running Discovery server, of several that of the master; `None` if none
    /// runs.
    pub discovery_server: Option<i64>,
    /// The types of modules, by `ttipo_modulo`; empty where there is no such table.
    pub module_types: Vec<ModuleType>,
    /// The columns of `treport_content_sla_combined` that name modules.
    pub sla_columns: Vec<String>,
    /// Whether `tagente_modulo` knows modules without history.
    pub has_history_flag: bool,
}

/// A row of `ttipo_modulo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleType {
    /// `id_tipo`.
    pub id: i64,
    /// `nombre`.
    pub name: String,
}

/// `server_type` of a Discovery server in `tserver` (the product's constant).
const DISCOVERY: i64 = 3;

impl Installation {
    /// Asks the database that `session` uses.
    ///
    /// # Errors
    /// What the server answers, above all if there is no table `tconfig` or `tserver`: then it is
    /// no database of this product.
    pub async fn read(session: &mut Session) -> Result<Installation, Error> {
        let tokens = Tokens::read(session).await?;
        let master = "SELECT CAST(name AS BINARY) FROM tserver WHERE master <> 0 AND status = 1 \
                      ORDER BY master DESC, id_server LIMIT 1";
        let master: Option<Vec<u8>> = session.first(master, Params::Empty).await?;
        let discovery = "SELECT CAST(id_server AS SIGNED) FROM tserver \
                         WHERE server_type = ? AND status = 1 \
                         ORDER BY master DESC, id_server LIMIT 1";
        let discovery = session.first(discovery, one(DISCOVERY)).await?;
        let module_types = if columns(session, "ttipo_modulo").await?.is_empty() {
            Vec::new()
        } else {
            module_types(session).await?
        };
        let names_module = |column: &String| column.starts_with("id_agent_module");
        let sla = columns(session, "treport_content_sla_combined").await?;
        let modules = columns(session, "tagente_modulo").await?;
        Ok(Installation {
            tokens,
            master: master.map(lossy),
            discovery_server: discovery,
            module_types,
            sla_columns: sla.into_iter().filter(names_module).collect(),
            has_history_flag: modules.iter().any(|column| column == "history_data"),
        })
    }

    /// A setting of the operator's own goes before the row of `tconfig`.
    #[must_use]
    pub fn with_overrides<'a>(
        mut self,
        overrides: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Installation {
        let pairs = overrides.into_iter();
        let pairs = pairs.map(|(token, value)| (token.clone(), value.clone()));
        self.tokens.overrides.extend(pairs);
        self
    }
}

async fn module_types(session: &mut Session) -> Result<Vec<ModuleType>, Error> {
    let sql = "SELECT CAST(id_tipo AS SIGNED), CAST(nombre AS BINARY) FROM ttipo_modulo \
               ORDER BY id_tipo";
    let rows: Vec<(i64, Vec<u8>)> = session.rows(sql, Params::Empty).await?;
    let row = |(id, name): (i64, Vec<u8>)| ModuleType {
        id,
        name: lossy(name),
    };
    Ok(rows.into_iter().map(row).collect())
}

/// The columns of a table; none if it does not exist.
async fn columns(session: &mut Session, table: &str) -> Result<Vec<String>, Error> {
    let sql = "SELECT CAST(column_name AS BINARY) FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position";
    let rows: Vec<Vec<u8>> = session.rows(sql, one(table)).await?;
    Ok(rows.into_iter().map(lossy).collect())
}
