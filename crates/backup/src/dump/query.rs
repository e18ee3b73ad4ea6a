//! Questions to the server, with the words for the case that it does not answer.

use elpis_mysql::{FromRow, Params, Session, Value};

use super::error::DumpError;

impl DumpError {
    pub(super) fn server(doing: impl Into<String>, source: elpis_mysql::Error) -> Self {
        Self::Server {
            doing: doing.into(),
            source,
        }
    }
}

/// [`Session`] with [`DumpError`]s.
pub(super) trait Query {
    async fn ask<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Vec<T>, DumpError>;

    async fn ask_first<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Option<T>, DumpError>;

    async fn tell(&mut self, sql: &str) -> Result<(), DumpError>;
}

impl Query for Session {
    async fn ask<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Vec<T>, DumpError> {
        self.rows(sql, params)
            .await
            .map_err(|source| DumpError::server(sql, source))
    }

    async fn ask_first<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Option<T>, DumpError> {
        self.first(sql, params)
            .await
            .map_err(|source| DumpError::server(sql, source))
    }

    async fn tell(&mut self, sql: &str) -> Result<(), DumpError> {
        self.execute(sql, Params::Empty)
            .await
            .map(drop)
            .map_err(|source| DumpError::server(sql, source))
    }
}

/// A value as text; empty for NULL.
pub(super) fn text(value: &Value) -> String {
    String::from_utf8_lossy(&bytes(value)).into_owned()
}

/// A value as the bytes the server sent; empty for NULL.
pub(super) fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Int(number) => number.to_string().into_bytes(),
        Value::UInt(number) => number.to_string().into_bytes(),
        _ => Vec::new(),
    }
}
