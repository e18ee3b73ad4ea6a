//! Which modules have numbers that may be compacted, for a database that has no modules itself.

use elpis_maint_core::{Mode, SeriesList};
use elpis_mysql::{Error, Params, Session, Value, quote};
use std::collections::BTreeMap;

use super::{Installation, ModuleType};
use crate::compaction::kind;

/// Rows that one question asks for.
const CHUNK: u64 = 5_000;

impl Installation {
    /// The modules whose values [`series_rule`](crate::series_rule) would compact, as the database
    /// that `session` uses knows them at this moment: read in short steps, a number and a kind for
    /// each.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn compactable_modules(&self, session: &mut Session) -> Result<SeriesList, Error> {
        let kinds = self.module_types.iter();
        let kinds = kinds.filter_map(|found: &ModuleType| Some((found.id, kind(found)?)));
        let kinds: BTreeMap<_, _> = kinds
            .filter(|(_, kind)| kind.fits(Mode::Envelope))
            .collect();
        let has_history = match self.has_history_flag {
            true => "AND (history_data <> 0 OR history_data IS NULL) ",
            false => "",
        };
        let sql = format!(
            "SELECT CAST(id_agente_modulo AS SIGNED), CAST(id_tipo_modulo AS SIGNED) \
             FROM tagente_modulo WHERE id_agente_modulo > ? {has_history}\
             ORDER BY id_agente_modulo LIMIT {CHUNK}"
        );
        let (mut modules, mut after) = (BTreeMap::new(), i64::MIN);
        loop {
            let rows: Vec<(i64, i64)> = session.rows(&sql, from(after)).await?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            let known = rows.into_iter();
            modules.extend(known.filter_map(|(id, kind)| Some((id, *kinds.get(&kind)?))));
        }
        for column in &self.sla_columns {
            for named in named_in_reports(column, session).await? {
                modules.remove(&named);
            }
        }
        Ok(modules.into_iter().collect())
    }
}

/// The modules that reports on service levels name in `column`.
async fn named_in_reports(column: &str, session: &mut Session) -> Result<Vec<i64>, Error> {
    let column = quote(column)?;
    let sql = format!(
        "SELECT CAST({column} AS SIGNED) AS module FROM treport_content_sla_combined \
         WHERE {column} > ? GROUP BY module ORDER BY module LIMIT {CHUNK}"
    );
    let (mut named, mut after) = (Vec::new(), i64::MIN);
    loop {
        let rows: Vec<i64> = session.rows(&sql, from(after)).await?;
        let Some(last) = rows.last() else { break };
        after = *last;
        named.extend(rows);
    }
    Ok(named)
}

fn from(after: i64) -> Params {
    Params::Positional(vec![Value::from(after)])
}
