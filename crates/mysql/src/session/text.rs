//! Statements that are bytes: SQL text that somebody else wrote, in whatever character set.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use mysql_async::prelude::Queryable;
use tokio::time::timeout;

use super::Session;
use crate::Error;

/// Bytes of a file that go to the server at once; it takes no longer ones than its
/// `max_allowed_packet`, and the default of its oldest versions is 1 MiB.
const PIECE: usize = 256 << 10;

/// What a statement came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Rows it changed.
    pub rows: u64,
    /// Warnings it left, the server's own limit at most.
    pub warnings: u16,
}

impl Session {
    /// Runs one statement that need not be UTF-8, as text. Rows it may return are dropped.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn execute_bytes(&mut self, sql: &[u8]) -> Result<Executed, Error> {
        self.execute_text(sql, None).await
    }

    /// Runs a `LOAD DATA LOCAL INFILE`. Whatever file the server asks for, it gets `data`: nothing
    /// of this host is ever read for it.
    ///
    /// # Errors
    /// What the server answers: 1148, 3948 or 4166 where it takes no files of clients.
    pub async fn load_local(&mut self, sql: &[u8], data: Vec<u8>) -> Result<Executed, Error> {
        self.execute_text(sql, Some(data)).await
    }

    async fn execute_text(&mut self, sql: &[u8], file: Option<Vec<u8>>) -> Result<Executed, Error> {
        let after = self
            .settings
            .statement_timeout()
            .saturating_add(self.settings.grace);
        let conn = self.ready()?;
        if let Some(file) = file {
            let pieces = pieces(file);
            conn.set_infile_handler(async { Ok(stream::iter(pieces).boxed()) });
        }
        let exchange = async {
            let result = conn.query_iter(sql).await?;
            let executed = Executed {
                rows: result.affected_rows(),
                warnings: result.warnings(),
            };
            result.drop_result().await?;
            Ok(executed)
        };
        let outcome = timeout(after, exchange).await;
        self.settle(outcome, after)
    }

    /// Runs a statement of somebody else that may not be one: the server prepares it first, which
    /// it does with no more than one. MySQL prepares no statement that makes a routine, a trigger
    /// or an event, and answers 1295.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn execute_single(&mut self, sql: &[u8]) -> Result<(), Error> {
        let after = self
            .settings
            .statement_timeout()
            .saturating_add(self.settings.grace);
        let conn = self.ready()?;
        let exchange = async {
            let statement = conn.prep(sql).await?;
            let executed = conn.exec_drop(&statement, ()).await;
            conn.close(statement).await?;
            executed
        };
        let outcome = timeout(after, exchange).await;
        self.settle(outcome, after)
    }
}

fn pieces(file: Vec<u8>) -> Vec<std::io::Result<Bytes>> {
    let mut rest = Bytes::from(file);
    let mut pieces = Vec::with_capacity(rest.len() / PIECE + 1);
    while !rest.is_empty() {
        pieces.push(Ok(rest.split_to(rest.len().min(PIECE))));
    }
    pieces
}
