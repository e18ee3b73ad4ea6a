//! The `where` conditions of a rule: from what was written to what is meant.

use std::ops::Range;

use super::raw::RawFilter;
use super::validate::Check;
use super::{Filter, Test};
use crate::Scalar;

impl Check<'_> {
    pub(super) fn filter(&mut self, prefix: &str, raw: &RawFilter) -> Filter {
        let key = format!("{prefix}.where.{}", raw.column.get_ref());
        let column = self.name(&key, &raw.column);
        let test = self.test(&key, raw).unwrap_or(Test::IsNull);
        Filter { column, test }
    }

    fn test(&mut self, key: &str, raw: &RawFilter) -> Option<Test> {
        let op = match raw.op.get_ref().as_str() {
            "=" => "=",
            "!=" | "<>" => "<>",
            "<" => "<",
            "<=" => "<=",
            ">" => ">",
            ">=" => ">=",
            op @ ("is_null" | "is_not_null") => {
                if let Some(value) = &raw.value {
                    self.add(value.span(), key, format!("{op} takes no value"));
                }
                return Some(if op == "is_null" {
                    Test::IsNull
                } else {
                    Test::IsNotNull
                });
            }
            op @ ("in" | "not_in") => {
                let values = self.list(key, raw)?;
                return Some(if op == "in" {
                    Test::In(values)
                } else {
                    Test::NotIn(values)
                });
            }
            _ => {
                let reason = "must be one of =, !=, <, <=, >, >=, in, not_in, is_null, is_not_null";
                self.add(raw.op.span(), key, reason);
                return None;
            }
        };
        let Some(value) = &raw.value else {
            self.add(raw.op.span(), key, "needs a value");
            return None;
        };
        let scalar = self.scalar(key, value.span(), value.get_ref())?;
        Some(Test::Compare(op, scalar))
    }

    fn list(&mut self, key: &str, raw: &RawFilter) -> Option<Vec<Scalar>> {
        let Some((span, toml::Value::Array(items))) = raw
            .value
            .as_ref()
            .map(|value| (value.span(), value.get_ref()))
        else {
            self.add(raw.op.span(), key, "needs a list as its value");
            return None;
        };
        if items.is_empty() || items.len() > 1000 {
            self.add(span, key, "a list has 1 to 1000 values");
            return None;
        }
        items
            .iter()
            .map(|item| self.scalar(key, span.clone(), item))
            .collect()
    }

    fn scalar(&mut self, key: &str, span: Range<usize>, value: &toml::Value) -> Option<Scalar> {
        match value {
            toml::Value::Integer(n) => Some(Scalar::Int(*n)),
            toml::Value::Boolean(b) => Some(Scalar::Int(i64::from(*b))),
            toml::Value::String(s) => Some(Scalar::Text(s.clone())),
            _ => {
                self.add(span, key, "must be an integer, a boolean or a string");
                None
            }
        }
    }
}
