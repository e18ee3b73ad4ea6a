//! Statements that name keys: many keys are cut into pieces, one statement each. Who needs all or
//! nothing calls these inside a transaction.

use super::StoreError;
use super::sql::{self, Sql};
use super::walk::{Executor, number};
use crate::Scalar;

/// Changes rows that `keys` name, at most `limit` of them; how many it were.
pub(super) async fn change<E: Executor, K: Sync>(
    on: &mut E,
    keys: &[K],
    limit: u64,
    statement: impl Fn(&[K], u64) -> Result<Sql, StoreError> + Send,
) -> Result<u64, StoreError> {
    let mut changed = 0;
    for piece in keys.chunks(E::MOST_KEYS) {
        changed += on.change(&statement(piece, limit - changed)?).await?;
        if changed >= limit {
            break;
        }
    }
    Ok(changed)
}

/// The rows that `keys` name, at most `limit` of them, in the order of the keys' pieces.
pub(super) async fn query<E: Executor, K: Sync>(
    on: &mut E,
    keys: &[K],
    limit: u64,
    statement: impl Fn(&[K], u64) -> Result<Sql, StoreError> + Send,
) -> Result<Vec<Vec<Scalar>>, StoreError> {
    let mut rows = Vec::new();
    for piece in keys.chunks(E::MOST_KEYS) {
        let left = limit - rows.len() as u64;
        rows.extend(on.query(&statement(piece, left)?).await?);
        if rows.len() as u64 >= limit {
            break;
        }
    }
    Ok(rows)
}

/// The sum of what queries for the pieces of `keys` count.
pub(super) async fn sum<E: Executor, K: Sync>(
    on: &mut E,
    keys: &[K],
    statement: impl Fn(&[K]) -> Result<Sql, StoreError> + Send,
) -> Result<u64, StoreError> {
    let mut sum = 0;
    for piece in keys.chunks(E::MOST_KEYS) {
        sum += number(on, &statement(piece)?).await?;
    }
    Ok(sum)
}

/// Deletes at most `limit` rows whose column is one of `keys`.
pub(super) async fn delete_keys<E: Executor>(
    on: &mut E,
    (table, column): (&str, &str),
    keys: &[Scalar],
    limit: u64,
) -> Result<u64, StoreError> {
    let delete = |keys: &[Scalar], left| sql::delete_keys(E::DIALECT, table, column, keys, left);
    change(on, keys, limit, delete).await
}

/// The values of `wanted` in at most `limit` rows of a child table that point at `keys`, locked.
pub(super) async fn child_keys<E: Executor>(
    on: &mut E,
    child: (&str, &str),
    wanted: &str,
    keys: &[Scalar],
    limit: u64,
) -> Result<Vec<Scalar>, StoreError> {
    let wanted = |keys: &[Scalar], left| sql::child_keys(E::DIALECT, child, wanted, keys, left);
    Ok(query(on, keys, limit, wanted).await?.concat())
}
